"""The one vocabulary: control symbols, text pieces, reserved control symbols, image codes.

Ids below TEXT_PIECES are the tokenizer's (its first six are control symbols, the rest text pieces). Behind them come
control symbols that no text can encode to, then the codes of pictures.
"""

PAD, UNK, BOS, END, USER, ASSISTANT = range(6)
TEXT_PIECES = 1536
IMAGE, IMAGE_END = TEXT_PIECES, TEXT_PIECES + 1
# Written behind the text of an answer: how the next ones are to be spoken.
SPEED_SLOW, SPEED_NORMAL, SPEED_FAST, VOICE_OWN, VOICE_LOW = range(TEXT_PIECES + 2, TEXT_PIECES + 7)
# Around text of their kind: signatures of declared functions, a function that is called, what it returned.
TOOLS, TOOLS_END, CALL, CALL_END, RESULT, RESULT_END = range(TEXT_PIECES + 7, TEXT_PIECES + 13)
FIRST_IMAGE_CODE = TEXT_PIECES + 32  # room for voices, speeds and what else a session may choose
IMAGE_CODES = 1024
VOCABULARY = FIRST_IMAGE_CODE + IMAGE_CODES
