"""Greetings and small talk: fixed intents, each with one answer and many ways to say it."""

from .common import make_turn

NAME = "smalltalk"
WEIGHT = 7

INTENTS = [
    ("hello how can i help you", ["hello", "hi", "hey", "hi | there", "hello | there", "hey | there", "hello | wren", "hi | wren",
                                  "good day", "hello | hello", "greetings"]),
    ("good morning to you", ["good morning", "good morning | wren", "a very good morning", "a good morning | to you"]),
    ("good afternoon to you", ["good afternoon", "good afternoon | wren", "a very good afternoon"]),
    ("good evening to you", ["good evening", "good evening | wren", "a very good evening", "a good evening | to you"]),
    ("good night sleep well", ["good night", "good night | wren", "sleep well", "have a good night", "i am going to bed", "i have to sleep now"]),
    ("i am fine thank you", ["how are you", "how are you | today", "how are you | doing", "how do you do", "how is it going",
                             "are you well", "how do you feel", "how are things", "how are you | wren", "how do you feel | today"]),
    ("you are welcome", ["thank you", "thanks", "thanks | a lot", "thank you | very much", "thank you | so much", "many thanks",
                         "thank you | wren", "that was helpful", "thanks | for your help"]),
    ("goodbye see you soon", ["goodbye", "bye", "bye | bye", "see you later", "see you", "see you soon", "goodbye | wren", "i have to go",
                              "i have to go | now", "talk to you later", "farewell", "see you tomorrow"]),
    ("my name is wren", ["what is your name", "whats your name", "who are you", "tell me your name", "what are you called",
                         "do you have a name", "what should i call you", "may i ask your name", "introduce yourself"]),
    ("i can count spell add and answer small questions", ["what can you do", "what can you help me with", "what do you know", "what are you good at",
                                                          "how can you help me", "help", "help me", "what can i ask you", "what can i say"]),
    ("i am a small computer program", ["what are you", "are you a robot", "are you human", "are you a person", "are you a computer",
                                       "are you real", "are you a machine", "are you alive"]),
    ("i am very young", ["how old are you", "what is your age", "whats your age", "when were you born", "are you old", "are you young"]),
    ("i live inside this computer", ["where do you live", "where are you", "where are you from", "where do you come from", "where is your home"]),
    ("yes i can hear you", ["can you hear me", "do you hear me", "are you listening", "are you there", "is anybody there", "hello | can you hear me",
                            "testing | one two three"]),
    ("thank you that is very kind", ["you are great", "you are very nice", "you are smart", "well done", "good job", "i like you", "you are funny",
                                     "very good", "you are clever", "you did well", "that was good"]),
    ("i am sorry to hear that", ["i am sad", "im sad", "i feel bad", "i am tired", "im tired", "i am sick", "i feel lonely", "i had a bad day", "i am angry"]),
    ("i am glad to hear that", ["i am happy", "im happy", "i feel great", "i am fine", "im fine | too", "i had a good day", "i feel good", "i am very well"]),
    ("nice to meet you too", ["nice to meet you", "pleased to meet you", "it is nice to meet you", "good to meet you", "glad to meet you"]),
    ("i only speak english", ["which languages do you speak", "what language do you speak", "do you speak english", "do you speak french",
                              "do you speak german", "can you speak spanish", "how many languages do you speak"]),
    ("no problem at all", ["sorry", "i am sorry", "im sorry", "excuse me", "my mistake", "never mind", "pardon me"]),
    ("all right", ["okay", "yes", "all right", "i see", "that is right", "sure", "very well", "fine"]),
    ("why did the chicken cross the road to get to the other side", ["tell me a joke", "do you know a joke", "make me laugh", "say something funny",
                                                                    "tell me something funny", "i want to hear a joke"]),
    ("i was trained from scratch on a small computer", ["who made you", "who built you", "who created you", "how were you made", "how did you learn to talk",
                                                        "who trained you", "where did you learn english"]),
    ("my favorite color is blue", ["what is your favorite color", "whats your favorite color", "which color do you like", "what color do you like best",
                                   "do you have a favorite color"]),
]
_BEFORE = ["okay", "well", "oh", "wren", "hey wren", "so", "and"]
_FIXED = {" ".join(w for w in phrase.split() if w != "|") for _, phrases in INTENTS for phrase in phrases}


def fixed_questions():
    """Texts that are complete questions by themselves."""
    return _FIXED


def ask(rng):
    answer, phrases = rng.choice(INTENTS)
    phrase = rng.choice(phrases)
    if rng.random() < 0.3:
        phrase = rng.choice(_BEFORE) + " | " + phrase
    return make_turn(rng, NAME, phrase, answer, openers=False, closers=False)
