"""How the user sounds: calm, excited or low. Only a voice tells; who types is told so.

A tone is made of the pitch, its range and the rate of the synthesised speech.
"""

import dataclasses

from .common import TRAIN, make_turn

NAME = "tone"

TONES = ("calm", "excited", "low")
ASK = ["how do i sound", "how does my voice sound", "how do i sound to you", "what is my tone of voice", "what tone do i have",
       "do i sound calm or excited", "am i calm or excited", "can you hear how i feel", "what mood am i in", "can you hear my mood",
       "tell me how i sound", "how do i sound right now", "what does my voice tell you", "do you hear how i am"]
UNHEARD = "i can only hear that when you speak"

# espeak: words a minute, change of pitch, range of pitch; flite: stretch of durations, factor of pitch.
_ESPEAK = {"calm": ((135, 160), 0, (35, 55)), "excited": ((205, 260), 22, (75, 99)), "low": ((90, 115), -22, (5, 20))}
_FLITE = {"calm": ((1.0, 1.15), 1.0), "excited": ((0.68, 0.82), 1.28), "low": ((1.4, 1.7), 0.82)}


def answer(tone):
    return f"you sound {tone}"


def ask(rng):
    tone = rng.choice(TONES)
    return make_turn(rng, NAME, rng.choice(ASK), answer(tone), facts={"tone": tone}, split=TRAIN)


def in_tone(voice, tone, rng):
    """The voice (voices.Voice) as it sounds in this tone."""
    if voice.engine == "espeak":
        speeds, shift, ranges = _ESPEAK[tone]
        pitch = min(99, max(0, min(70, max(30, voice.pitch)) + shift))
        return dataclasses.replace(voice, speed=rng.randint(*speeds), pitch=pitch, pitch_range=rng.randint(*ranges))
    stretches, factor = _FLITE[tone]
    # flite takes the pitch of kal16 in Hz, of the others as a factor; 0 is the voice's own.
    pitch = (voice.pitch or 95.0) * factor if voice.name == "kal16" else (voice.pitch or 1.0) * factor
    return dataclasses.replace(voice, speed=rng.uniform(*stretches) / voice.warp**0.7, pitch=pitch)
