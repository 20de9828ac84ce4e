#!/usr/bin/python3
"""A typed and a spoken turn from outside C++: stubs generated from proto/ as any client author would.

Usage: test_protocol.py ANTIPHOND MODEL_FOLDER [--question "what is two plus three"]
Needs Debian's python3-grpcio, python3-grpc-tools (or protoc with its Python plug-in) and espeak-ng.
"""

import argparse
import array
import importlib
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
import wave

import grpc

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import audioop
except ImportError:  # from Python 3.13 on
    audioop = None

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PACKET_MS = 20
TIMEOUT_S = 60
PNG = b"\x89PNG\r\n\x1a\n"


def generate_stubs(folder):
    """Runs protoc over proto/ and imports what it wrote."""
    protos = sorted(str(p.relative_to(REPOSITORY / "proto")) for p in (REPOSITORY / "proto").rglob("*.proto"))
    plugin = "/usr/bin/grpc_python_plugin"
    if pathlib.Path(plugin).exists():
        command = ["protoc", f"--plugin=protoc-gen-grpc={plugin}", f"--grpc_out={folder}"]
    else:
        command = [sys.executable, "-m", "grpc_tools.protoc", f"--grpc_python_out={folder}"]
    subprocess.run([*command, f"--proto_path={REPOSITORY / 'proto'}", f"--python_out={folder}", *protos], check=True)
    sys.path.insert(0, str(folder))
    names = ["conversation_pb2", "conversation_pb2_grpc", "generation_pb2", "generation_pb2_grpc", "model_pb2",
             "model_pb2_grpc"]
    return [importlib.import_module(f"antiphon.v1.{name}") for name in names]


class Server:
    """An antiphond of our own on a free port."""

    def __init__(self, antiphond, model):
        self.process = subprocess.Popen(
            [antiphond, "--model", model, "--listen", "127.0.0.1:0", "--log-level", "warning"],
            stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line.startswith("listening on "), f"antiphond said {line!r}"
        self.address = line.split()[-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=TIMEOUT_S)
        assert code == 0, f"antiphond ended with {code}"


class Call:
    """One Converse call (or Resume call): what is put is sent, until end() half-closes."""

    def __init__(self, pb, stub, method="Converse"):
        self.pb = pb
        self.requests = queue.SimpleQueue()
        self.events = getattr(stub, method)(iter(self.requests.get, None), timeout=TIMEOUT_S)
        self.expected_number = 1

    def put(self, **event):
        self.requests.put(self.pb.ClientEvent(**event))

    def end(self):
        self.requests.put(None)

    def read(self):
        event = next(self.events)
        assert event.sequence_number == self.expected_number, event
        self.expected_number += 1
        return event

    def read_until(self, kind):
        while True:
            event = self.read()
            assert event.WhichOneof("event") != "error" or kind == "error", event
            if event.WhichOneof("event") == kind:
                return getattr(event, kind)

    def read_answer(self, bytes_a_sample=2):
        text, audio = "", b""
        rows = {}  # of the pictures that are not finished, painted so far
        finished = 0
        while True:
            event = self.read()
            kind = event.WhichOneof("event")
            if kind == "text_delta":
                text += event.text_delta.text
            elif kind == "audio_delta":
                first = event.audio_delta.first_sample
                assert first * bytes_a_sample == len(audio), "speech is numbered without a gap"
                audio += event.audio_delta.audio
            elif kind == "image_started":
                picture = event.image_started
                assert picture.image_index == finished + len(rows) and picture.width == picture.height, picture
                rows[picture.image_index] = 0
            elif kind == "image_delta":
                preview = event.image_delta
                assert preview.rows > rows[preview.image_index], "every preview shows more"
                assert preview.preview.startswith(PNG)
                rows[preview.image_index] = preview.rows
            elif kind == "image_done":
                assert event.image_done.png.startswith(PNG)
                del rows[event.image_done.image_index]
                finished += 1
            elif kind == "response_done":
                assert finished == event.response_done.usage.output_images
                return text, audio, event.response_done


def check_model(pb, model_pb, model_grpc, channel):
    models = model_grpc.ModelServiceStub(channel).ListModels(model_pb.ListModelsRequest(), timeout=TIMEOUT_S).models
    assert len(models) == 1 and models[0].name and models[0].parameters > 0, models
    assert models[0].sample_rate * models[0].frame_ms % 1000 == 0
    assert list(models[0].voices) == ["own", "low"] and pb.SPEED_FAST in models[0].speeds, models
    sees = pb.MODALITY_IMAGE in models[0].input_modalities
    assert sees == (models[0].image_side > 0) == (models[0].image_grid > 0), models
    print(f"model: {models[0].name} {models[0].version}, {models[0].parameters / 1e6:.1f} M parameters")
    return sees


def check_typed_turn(pb, stub, question):
    call = Call(pb, stub)
    created = call.read_until("session_created")
    assert created.session_id and created.config.output_audio.sample_rate == 24000
    call.put(text_append=pb.TextAppend(text=question))
    call.put(commit=pb.Commit())
    ended = call.read_until("turn_ended")
    assert ended.cause == pb.TurnEnded.CAUSE_COMMIT
    text, audio, done = call.read_answer()
    assert done.text == text
    assert done.status in (pb.ResponseDone.STATUS_COMPLETED, pb.ResponseDone.STATUS_INCOMPLETE), done
    assert len(audio) // 2 == done.usage.spoken_frames * 1920, "80 ms a frame at 24 kHz"
    ledger = done.ledger
    assert 0 < ledger.last_speech_received_us <= ledger.endpoint_decided_us <= ledger.first_symbol_us, ledger
    assert ledger.first_frame_us <= ledger.first_packet_sent_us, ledger
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    print(f"typed: {question!r} -> {text!r}, {len(audio) / 48000:.2f} s of speech")


def check_manners(pb, stub, question):
    call = Call(pb, stub)
    for speed, samples in ((pb.SPEED_SLOW, 2400), (pb.SPEED_FAST, 1536)):
        call.put(session_update=pb.SessionUpdate(config=pb.SessionConfig(voice="low", speed=speed)))
        config = call.read_until("session_updated").config
        assert config.voice == "low" and config.speed == speed, config
        call.put(text_append=pb.TextAppend(text=question))
        call.put(commit=pb.Commit())
        call.read_until("turn_ended")
        _, audio, done = call.read_answer()
        assert len(audio) // 2 == done.usage.spoken_frames * samples > 0
    call.put(session_update=pb.SessionUpdate(config=pb.SessionConfig(voice="nobody")))
    error = call.read_until("error")
    assert error.field == "session_update.config.voice" and '"low"' in error.message, error
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    print("manners: low and slow, low and fast")


def spoken_at_8_khz(pb, stub, question, encoding):
    """The answer's bytes in this encoding."""
    call = Call(pb, stub)
    call.put(session_update=pb.SessionUpdate(
        config=pb.SessionConfig(output_audio=pb.AudioFormat(encoding=encoding, sample_rate=8000))))
    call.put(text_append=pb.TextAppend(text=question))
    call.put(commit=pb.Commit())
    bytes_a_sample = 2 if encoding == pb.AUDIO_ENCODING_PCM16 else 1
    _, audio, done = call.read_answer(bytes_a_sample)
    assert len(audio) == bytes_a_sample * 640 * done.usage.spoken_frames > 0, "80 ms a frame"
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    return audio


def check_telephone(pb, stub, question):
    """The same answer in PCM16 and in G.711, as another implementation of G.711 decodes it."""
    if audioop is None:
        print("telephone: left out, this Python has no audioop")
        return
    plain = array.array("h", spoken_at_8_khz(pb, stub, question, pb.AUDIO_ENCODING_PCM16))
    assert max(plain) > 1000, "it is audible"
    for encoding, decode in ((pb.AUDIO_ENCODING_G711_ULAW, audioop.ulaw2lin),
                             (pb.AUDIO_ENCODING_G711_ALAW, audioop.alaw2lin)):
        heard = array.array("h", decode(spoken_at_8_khz(pb, stub, question, encoding), 2))
        assert len(heard) == len(plain)
        # Half a step of the law is a little over 1/32 of the value.
        assert all(abs(h - p) <= abs(p) / 32 + 8 for h, p in zip(heard, plain)), encoding
    print(f"telephone: {len(plain) / 8000:.1f} s in both laws of G.711")


def check_mistake(pb, stub):
    call = Call(pb, stub)
    call.put(event_id="mine", session_update=pb.SessionUpdate(
        config=pb.SessionConfig(sampling=pb.Sampling(top_p=3))))
    error = call.read_until("error")
    assert error.code == grpc.StatusCode.INVALID_ARGUMENT.value[0], error
    assert error.field == "session_update.config.sampling.top_p" and error.event_id == "mine", error
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    print(f"mistake: {error.message}")


def check_instructions(pb, stub):
    """Wren was not trained with instructions and says so; none at all are no mistake."""
    call = Call(pb, stub)
    call.put(session_update=pb.SessionUpdate(config=pb.SessionConfig(instructions="be kind")))
    error = call.read_until("error")
    assert error.code == grpc.StatusCode.UNIMPLEMENTED.value[0], error
    assert error.field == "session_update.config.instructions", error
    call.put(session_update=pb.SessionUpdate(config=pb.SessionConfig(instructions="")))
    assert call.read_until("session_updated").config.instructions == ""
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    print("instructions: refused by name")


def check_resume(pb, stub, question):
    lost = Call(pb, stub)
    lost.put(acknowledge=pb.Acknowledge())
    created = lost.read_until("session_created")
    assert len(created.resume_token) == 32 and created.resume_grace_ms == 30000, created
    lost.put(text_append=pb.TextAppend(text=question))
    lost.put(commit=pb.Commit())
    begun = lost.read_until("text_delta").text
    last = lost.expected_number - 1
    lost.events.cancel()
    lost.end()

    call = Call(pb, stub, "Resume")
    call.put(resume=pb.Resume(token=created.resume_token, last_event_number=last))
    resumed = next(call.events)
    assert resumed.sequence_number == 0 and resumed.session_resumed.client_events == 2, resumed
    call.expected_number = last + 1
    text, audio, done = call.read_answer()
    assert done.text == begun + text and len(audio) // 2 == done.usage.spoken_frames * 1920, done
    call.put(finish=pb.Finish())
    call.put(acknowledge=pb.Acknowledge(last_event_number=call.expected_number - 1))
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    assert ("session-over", "true") in call.events.trailing_metadata()
    call.end()
    print(f"resumed: {begun!r}, then {text!r}")


def check_picture(pb, stub, sees):
    call = Call(pb, stub)
    created = call.read_until("session_created")
    assert (pb.MODALITY_IMAGE in created.config.output_modalities) == sees, created
    call.put(image_append=pb.ImageAppend(data=bytes(3 * 8 * 4), media_type="image/x-rgb", width=8, height=4))
    if sees:
        call.put(commit=pb.Commit())
        call.read_until("turn_ended")
        text, _, done = call.read_answer()
        assert done.usage.input_images == 1, done
        print(f"picture: -> {text!r}")
    else:
        error = call.read_until("error")
        assert error.code == grpc.StatusCode.UNIMPLEMENTED.value[0] and error.field == "image_append", error
        print(f"picture: {error.message}")
    call.put(image_append=pb.ImageAppend(data=PNG, media_type="image/png"))
    assert call.read_until("error").field.startswith("image_append")
    call.put(video_frame=pb.VideoFrame(data=PNG, media_type="image/png"))
    assert call.read_until("error").field.startswith("video_frame")
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK


def speak(text):
    """16 kHz PCM16 of espeak-ng."""
    with tempfile.NamedTemporaryFile(suffix=".wav") as file:
        subprocess.run(["espeak-ng", "-v", "en-us", "-s", "150", "-w", file.name, text], check=True)
        with wave.open(file.name) as reader:
            samples = array.array("h", reader.readframes(reader.getnframes()))
            rate = reader.getframerate()
    # Linear interpolation is good enough for a test of the protocol.
    count = len(samples) * 16000 // rate
    positions = (i * rate / 16000 for i in range(count - 2))
    return array.array("h", (int(samples[int(p)] * (1 - p % 1) + samples[int(p) + 1] * (p % 1)) for p in positions))


def check_spoken_turn(pb, stub, question):
    call = Call(pb, stub)
    call.put(session_update=pb.SessionUpdate(config=pb.SessionConfig(
        input_audio=pb.AudioFormat(encoding=pb.AUDIO_ENCODING_PCM16, sample_rate=16000))))
    call.read_until("session_updated")
    speech = array.array("h", [0] * 8000) + speak(question)
    answered = threading.Event()

    def microphone():
        packet = 16 * PACKET_MS
        due = time.monotonic()
        sent = 0
        while not answered.is_set():
            piece = speech[sent:sent + packet]
            piece.extend([0] * (packet - len(piece)))
            call.put(audio_append=pb.AudioAppend(audio=piece.tobytes()))
            sent += packet
            due += PACKET_MS / 1000
            time.sleep(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=microphone)
    thread.start()
    try:
        started = call.read_until("speech_started")
        assert 6000 < started.audio_offset_samples < 12000, started
        ended = call.read_until("turn_ended")
        text, audio, done = call.read_answer()
    finally:
        answered.set()
        thread.join()
    assert done.usage.heard_frames > 0 and done.text == text, done
    assert len(audio) // 2 == done.usage.spoken_frames * 1920
    call.end()
    assert list(call.events) == [] and call.events.code() == grpc.StatusCode.OK
    latency = (done.ledger.first_packet_sent_us - done.ledger.last_speech_received_us) / 1000
    print(f"spoken: heard {ended.transcript!r} ({pb.TurnEnded.Cause.Name(ended.cause)}) -> {text!r}, {latency:.0f} ms")


def check_generate(pb, generation_pb, generation_grpc, channel, question):
    stub = generation_grpc.GenerationServiceStub(channel)
    request = generation_pb.GenerateRequest(
        parts=[generation_pb.Part(text=question)], output_modalities=[pb.MODALITY_TEXT, pb.MODALITY_AUDIO],
        output_audio=pb.AudioFormat(sample_rate=16000))
    responses = list(stub.Generate(request, timeout=TIMEOUT_S))
    kinds = [response.WhichOneof("event") for response in responses]
    assert kinds[0] == "started" and responses[0].started.model, kinds
    assert kinds[-1] == "response_done" and kinds.count("response_done") == 1, kinds
    text = "".join(response.text_delta.text for response in responses)
    audio = b"".join(response.audio_delta.audio for response in responses)
    done = responses[-1].response_done
    assert text and done.text == text and done.status == pb.ResponseDone.STATUS_COMPLETED, done
    assert len(audio) == 2 * 1280 * done.usage.spoken_frames > 0, "frames of 80 ms at 16 kHz"
    try:
        list(stub.Generate(generation_pb.GenerateRequest(), timeout=TIMEOUT_S))
        raise AssertionError("a request without parts was answered")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT and "parts" in error.details(), error
    print(f"generated: {text!r}, {len(audio) / 32000:.1f} s")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("antiphond")
    parser.add_argument("model")
    parser.add_argument("--question", default="what is two plus three")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pb, pb_grpc, generation_pb, generation_grpc, model_pb, model_grpc = generate_stubs(folder)
        with Server(arguments.antiphond, arguments.model) as server:
            with grpc.insecure_channel(server.address) as channel:
                stub = pb_grpc.ConversationServiceStub(channel)
                sees = check_model(pb, model_pb, model_grpc, channel)
                check_typed_turn(pb, stub, arguments.question)
                check_manners(pb, stub, arguments.question)
                check_telephone(pb, stub, arguments.question)
                check_mistake(pb, stub)
                check_instructions(pb, stub)
                check_resume(pb, stub, arguments.question)
                check_picture(pb, stub, sees)
                check_spoken_turn(pb, stub, arguments.question)
                check_generate(pb, generation_pb, generation_grpc, channel, arguments.question)
    print("passed")


if __name__ == "__main__":
    main()
