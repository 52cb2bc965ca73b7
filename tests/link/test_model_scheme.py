"""Two networks of somebody else as a scheme: what arrives, what is charged, what is refused and in which words."""

from __future__ import annotations

import pickle
import warnings

import model_toys
import numpy as np
import pytest
import torch
import toys
from pydantic import ValidationError
from safetensors.torch import save_file

from semlink.errors import BoundaryError, Infeasible, InterfaceError, ModelError, ScenarioError, SemlinkError
from semlink.link.chain.link import Link
from semlink.link.chain.transmit import run_clip
from semlink.link.schemes.model.side_info import SideInfo
from semlink.link.schemes.model.spec import ModelSpec
from semlink.link.schemes.model.symbol_map import constrained, from_symbols, symbols_in, to_symbols
from semlink.payload import Frames, FrameShape, Point, Received
from semlink.phy.channels.awgn import Awgn
from semlink.phy.waveforms.plain import Plain
from semlink.plugins.trust.permission import pickles_allowed, plugins_refused
from semlink.seeds import Seeds

TOYS = model_toys.__file__
SHAPE = FrameShape(4, 64, 64)
POINT = Point(10.0, 1000)
CLIP = Frames(torch.from_numpy(toys.Ramps().clip(0)[None]))


class Certain:
    """A calibration that has every header arrive."""

    def delivery(self, coding, uses, transmissions):
        return 1.0


def spec(encoder="Encoder", decoder="Decoder", **options) -> ModelSpec:
    def network(one):
        return one if isinstance(one, dict) or "." in one or ":" in one else f"{TOYS}:{one}"

    return ModelSpec(kind="model", name="it", encoder=network(encoder), decoder=network(decoder), **options)


def sent(scheme, clip=CLIP, point=POINT, noise=True, **how):
    """The outcome of one clip, and the agreement."""
    link = Link(scheme.build(), scheme.build(), Plain(), Awgn())
    agreed = link.transmitter.agree(clip.shape, point, Certain())
    return run_clip(link, clip, agreed, Seeds(1), **how), agreed


def psnr(outcome, clip=CLIP) -> float:
    return -10 * float((outcome.frames.pixels - clip.pixels).square().mean().log10())


# symbols


@pytest.mark.parametrize("shape", [(3, 6), (3, 4, 2, 5), (3, 5, 8), (2, 3, 4, 2, 2)])
@pytest.mark.parametrize("mapping", ["pairs", "halves", "channels", "complex"])
def test_numbers_come_back_from_their_symbols(shape, mapping):
    numbers = torch.arange(int(np.prod(shape))).float().reshape(shape)
    numbers = torch.complex(numbers, -numbers) if mapping == "complex" else numbers
    iq = to_symbols(numbers, mapping)
    assert iq.shape == (shape[0], symbols_in(shape, mapping, is_complex=numbers.is_complex()))
    assert torch.equal(from_symbols(iq, shape, mapping), numbers)
    first = {"pairs": (0, 1), "halves": (0, numbers[0].numel() // 2)}.get(mapping)
    if first:
        assert [iq[0, 0].real, iq[0, 0].imag] == [numbers[0].flatten()[n] for n in first]


def test_channels_are_the_second_axis_or_the_last_of_tokens():
    numbers = torch.arange(12.0).reshape(1, 3, 4)
    assert torch.equal(to_symbols(numbers, "channels")[0, :2], torch.complex(numbers[0, 0, :2], numbers[0, 0, 2:]))
    with pytest.raises(InterfaceError, match=r"\(1, 3, 2, 2\), 3 channels of an item; .*channels needs them even"):
        symbols_in((1, 3, 2, 2), "channels", is_complex=False)


def test_power_is_that_of_a_clip_a_frame_or_a_symbol():
    iq = torch.tensor([[3 + 4j, 0j], [1 + 0j, 1j]])
    power = lambda found: found.abs().square()  # noqa: E731
    assert float(power(constrained(iq, "clip")).mean()) == pytest.approx(1)
    assert power(constrained(iq, "frame")).mean(1).tolist() == pytest.approx([1, 1])
    assert power(constrained(iq, "symbol")).flatten().tolist() == pytest.approx([1, 0, 1, 1])
    assert torch.equal(constrained(iq * 0.1, "own"), iq * 0.1)
    assert not constrained(0 * iq, "clip").abs().any()
    with pytest.raises(
        InterfaceError, match=r"own power is 2.000 a symbol, allowed is 1 \(power 1 in each real number"
    ):
        constrained(torch.full((1, 4), 2**0.5 + 0j), "own")


def test_side_information_is_packed_into_its_bits():
    numbers = torch.tensor([[0, 7, 5], [1, 2, 3]])
    side = SideInfo(3, 3)
    data = side.pack(numbers, 2)
    assert len(data) == side.num_bytes(2) == 3 and torch.equal(side.unpack(data, 2), numbers)
    for wrong, says in (
        (numbers + 1, "gave 8 as side information; 3 bits hold 0 to 7"),
        (-numbers, "gave -7 as"),
        (numbers.float(), "as torch.float32; need a tensor of whole numbers"),
        (numbers[:1], "3 numbers of side information; side_info says 3 of each of 2 items"),
    ):
        with pytest.raises(InterfaceError, match=says):
            side.pack(wrong, 2)


# on the air


WAYS = [
    ({}, 256),
    ({"symbols": "halves"}, 256),
    ({"symbols": "channels", "power": "frame"}, 256),
    ({"encoder": "Complex", "decoder": "FromComplex", "symbols": "complex"}, 256),
    ({"encoder": "Tokens", "decoder": "FromTokens", "symbols": "channels"}, 256),
    ({"encoder": "Video", "decoder": "FromVideo", "layout": "video"}, 128),
    ({"encoder": {"network": f"{TOYS}:ByName", "knows": {"snr": "level"}}}, 256),
    ({"decoder": "Weighing", "knows": ["snr", "noise_var"]}, 256),
    ({"encoder": "WithSide", "decoder": "FromSide", "side_info": {"count": 1, "bits": 8}}, 256),
    ({"encoder": "WithSide", "decoder": "FromSide", "side_info": {"count": 1, "bits": 8, "name": "brightness"}}, 256),
    ({"encoder": "Filling", "decoder": "FromAny", "knows": ["uses"], "numbers": "plain"}, 768),
    ({"encoder": {"network": f"{TOYS}:made", "options": {"copies": 4}}, "decoder": "FromAny"}, 512),
]


@pytest.mark.parametrize("way, symbols", WAYS, ids=lambda value: str(value)[:60])
def test_frames_arrive_and_every_symbol_is_charged(way, symbols):
    outcome, agreed = sent(spec(**way))
    assert agreed.terms.symbols == symbols and outcome.ledger.by_purpose()["payload"] == symbols
    beside = outcome.ledger.symbols - symbols
    assert (beside > 0) == ("side_info" in way) and (outcome.blocks > 0) == ("side_info" in way)
    assert psnr(outcome) > 16


@pytest.mark.parametrize("unit, power", [("symbol", 1), ("number", 2)])
def test_the_model_hears_the_noise_of_the_swept_snr_in_its_own_unit(unit, power):
    """Es/N0 is the same whether it thinks in symbols or in real numbers of power 1."""
    scheme, heard = spec(unit=unit).build(), []
    scheme.decoder.made._kept[0] = lambda numbers: heard.append(numbers) or CLIP.pixels[0][:, None]
    agreed = scheme.agree(SHAPE, POINT, Certain())
    sent_iq = scheme.transmit(CLIP, agreed, Seeds(1)).payload.iq
    noise = Seeds(1).complex_normal("noise", sent_iq.shape[1]) * 10**-0.5
    scheme.receive(Received(sent_iq + noise, torch.full(sent_iq.shape, 0.1)), agreed)
    symbols = to_symbols(heard[0], "pairs").reshape(1, -1)
    assert float((symbols / power**0.5 - sent_iq - noise).abs().max()) < 1e-5
    assert float(symbols.abs().square().mean()) == pytest.approx(1.1 * power, rel=0.1)


def test_frames_are_padded_to_what_the_model_takes_and_it_is_said():
    clip = Frames(CLIP.pixels[..., :60, :50].contiguous())
    outcome, agreed = sent(spec(multiple=16), clip=clip)
    assert agreed.terms.note == "frames padded to 64x64" and agreed.terms.symbols == 256
    assert outcome.frames.pixels.shape == clip.pixels.shape and psnr(outcome, clip) > 16


def test_colour_is_three_channels():
    clip = Frames(torch.cat([CLIP.pixels, 1 - CLIP.pixels, CLIP.pixels.flip(-1)], 2), "rgb")
    outcome, agreed = sent(spec(), clip=clip)
    assert agreed.terms.shape == (4, 6, 8, 8) and agreed.terms.symbols == 768 and outcome.frames.colour == "rgb"
    assert psnr(outcome, clip) > 16


def test_black_and_white_may_be_other_numbers():
    way = {"encoder": {"network": f"{TOYS}:Encoder", "options": {"grey": 127.5}}, "decoder": "Ranged"}
    assert psnr(sent(spec(**way, range=[0, 255]))[0]) > 15 > psnr(sent(spec(decoder="Ranged"))[0])


def test_a_budget_below_the_models_symbols_is_infeasible_with_its_reason():
    with pytest.raises(Infeasible, match="it: the model sends 256 symbols; 255 are there"):
        spec().build().agree(SHAPE, Point(10.0, 255), Certain())
    side = spec("WithSide", "FromSide", side_info={"count": 1, "bits": 8}).build()
    with pytest.raises(Infeasible, match=r"256 symbols and \d+ for side information; 256 are there"):
        side.agree(SHAPE, Point(10.0, 256), Certain())
    filling = spec("Filling", "FromAny", knows=["uses"], numbers="plain").build()
    assert filling.agree(SHAPE, Point(10.0, None, 0.05), Certain()).terms.symbols == 768
    with pytest.raises(ScenarioError, match="knows rate; give the scheme rates"):
        spec(knows=["rate"]).build().check(SHAPE, None)


def test_without_its_side_information_the_frames_are_gray():
    outcome, agreed = sent(spec("WithSide", "FromSide", side_info={"count": 1, "bits": 8}), point=Point(-25.0, 9000))
    assert outcome.lost == outcome.blocks > 0 and bool((outcome.frames.pixels == 0.5).all())


# networks that are no Python


def test_torchscript_onnx_and_export_do_what_the_class_does(tmp_path):
    """Where plug-ins are refused, a class and torch.export are, and the others run."""
    expected = sent(spec())[0].frames.pixels
    frames, numbers = torch.rand(4, 1, 64, 64), torch.rand(4, 2, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, network, given in (("e", model_toys.Encoder(), frames), ("d", model_toys.Decoder(), numbers)):
            torch.jit.trace(network.eval(), given).save(str(tmp_path / f"{name}.pt"))
    with plugins_refused():
        outcome, _ = sent(spec(str(tmp_path / "e.pt"), str(tmp_path / "d.pt")), audit=True)
        for one in (f"{TOYS}:Encoder", str(tmp_path / "e.pt2"), "an-entry"):
            with pytest.raises(ValidationError, match="refused here|need file.py:Class"):
                spec(one, str(tmp_path / "d.pt"))
    assert torch.allclose(outcome.frames.pixels, expected, atol=1e-5)


@pytest.mark.slow
def test_a_program_of_torch_export_does_too(tmp_path):
    torch.export.save(torch.export.export(model_toys.Encoder().eval(), (torch.rand(4, 1, 64, 64),)), tmp_path / "e.pt2")
    outcome, _ = sent(spec(str(tmp_path / "e.pt2"), "Decoder"))
    assert torch.allclose(outcome.frames.pixels, sent(spec())[0].frames.pixels, atol=1e-5)


def test_onnx_is_given_one_item_after_the_other_where_it_was_written_for_one(tmp_path):
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    assert runtime
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        helper.make_node("AveragePool", ["frames"], ["small"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Concat", ["small", "small"], ["both"], axis=1),
        helper.make_node("Constant", [], ["half"], value=helper.make_tensor("half", kind, [1], [0.5])),
        helper.make_node("Sub", ["both", "half"], ["numbers"]),
    ]
    for items in (1, "batch"):
        frames, out = (
            helper.make_tensor_value_info(name, kind, [items, *shape])
            for name, shape in (("frames", (1, 64, 64)), ("numbers", (2, 8, 8)))
        )
        graph = helper.make_graph(nodes, "encoder", [frames], [out])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=9)
        onnx.save(model, tmp_path / "e.onnx")
        outcome, _ = sent(spec(str(tmp_path / "e.onnx"), "Decoder"))
        assert torch.allclose(outcome.frames.pixels, sent(spec())[0].frames.pixels, atol=1e-5)


def test_a_torchscript_that_reaches_beyond_tensors_is_refused_before_it_is_loaded(tmp_path):
    def writes(frames: torch.Tensor) -> torch.Tensor:
        return torch.from_file("/etc/hostname", False, 1, dtype=torch.uint8) + frames

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(writes), str(tmp_path / "bad.pt"))
    with pytest.raises(ModelError, match="uses 'from_file', which reaches beyond tensors"):
        spec(str(tmp_path / "bad.pt"), "Decoder").build()


# weights


def test_weights_are_found_under_their_role_and_have_to_fit(tmp_path):
    states = {"encoder": model_toys.Encoder(gain=3).state_dict(), "decoder": model_toys.Decoder(size=0.25).state_dict()}
    both = {f"{role}.{name}": value for role, state in states.items() for name, value in state.items()}
    path = tmp_path / "both.safetensors"
    save_file(both, path)

    def built(kind="Encoder", file=path, **options):
        decoder = {"network": f"{TOYS}:Decoder", "checkpoint": str(path)}
        return spec({"network": f"{TOYS}:{kind}", "checkpoint": str(file), **options}, decoder).build()

    scheme = built()
    assert float(scheme.encoder.run().gain) == 3 and float(scheme.decoder.run().size) == 0.25
    assert float(pickle.loads(pickle.dumps(scheme)).decoder.run().size) == 0.25
    save_file({"encoder.other": torch.zeros(1)}, tmp_path / "missing.safetensors")
    save_file({"gain": torch.zeros(2)}, tmp_path / "shape.safetensors")
    save_file({"gain": torch.zeros(()), "more": torch.zeros(1)}, tmp_path / "more.safetensors")
    (tmp_path / "text.safetensors").write_text("no weights")
    for name, says in (
        ("missing", "gain of the encoder is missing; it holds encoder.other"),
        ("shape", r"gain has shape \(2,\), the encoder needs \(\)"),
        ("more", "holds more, which the encoder does not have"),
        ("text", "cannot be read as safetensors"),
        ("gone", "no such file"),
    ):
        with pytest.raises(ModelError, match=says) as fault:
            built(file=tmp_path / f"{name}.safetensors")
        assert "\n" not in str(fault.value)
    assert float(built(prefix="encoder.").encoder.run().gain) == 3


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


def test_pickles_are_read_for_tensors_alone_and_only_where_that_is_said(tmp_path, capsys):
    paths = {name: tmp_path / f"{name}.pth" for name in ("good", "around", "bomb", "none")}
    torch.save(model_toys.Encoder(gain=3).state_dict(), paths["good"])
    torch.save({"state_dict": model_toys.Encoder(gain=4).state_dict(), "epoch": 3}, paths["around"])
    torch.save({"gain": Bomb()}, paths["bomb"])
    torch.save([1], paths["none"])

    def entry(name):
        return {"network": f"{TOYS}:Encoder", "checkpoint": str(paths[name])}

    with pytest.raises(ValidationError, match="refused here without --allow-pickle: a pickle is a program"):
        spec(entry("good"))
    with pickles_allowed():
        specs = {name: spec(entry(name)) for name in paths}
    assert [float(specs[name].build().encoder.run().gain) for name in ("good", "around")] == [3, 4]
    with pytest.raises(ModelError, match="holds more than tensors, which is never run here"):
        specs["bomb"].build()
    with pytest.raises(ModelError, match="holds no state_dict"):
        specs["none"].build()
    assert "boom" not in capsys.readouterr().out


# bad input


@pytest.mark.parametrize(
    "way, says",
    [
        ({"encoder": {"network": f"{TOYS}:Broken", "options": {"how": how}}}, says)
        for how, says in (
            ("odd", "9 real numbers of an item; symbols: pairs needs them even"),
            ("complex", "gave complex numbers and the scenario says symbols: pairs; use symbols: complex"),
            ("nan", "gave NaN or infinite numbers"),
            ("whole", r"gave \(4, 2, 8, 8\) int64; need a tensor of real or complex"),
            ("meta", "on device meta"),
            ("list", "gave 1 outputs; need a tensor"),
            ("two", "gave 2 outputs; need a tensor of real or complex numbers; side_info says"),
            ("batch", "the first axis must be the 4 of its input"),
            ("none", "gave NoneType; need a tensor"),
        )
    ]
    + [
        ({"decoder": {"network": f"{TOYS}:BrokenDecoder", "options": {"how": how}}}, says)
        for how, says in (
            ("small", r"gave \(4, 1, 32, 32\) float32; need \(4, 1, 64, 64\), the shape that the encoder got"),
            ("complex", "gave .* complex64; need a tensor of real numbers"),
            ("nan", "gave NaN or infinite pixels"),
            ("meta", "on device meta"),
            ("tuple", "gave 1 outputs; need a tensor of real numbers"),
            ("raises", r"it raised ValueError: no such thing \(model_toys.py:\d+\)"),
        )
    ]
    + [
        ({"encoder": "Louder", "power": "own"}, "own power is 2.000 a symbol, allowed is 1 .*unit: number"),
        ({"encoder": "WithSide", "decoder": "Decoder"}, "gave 2 outputs"),
        ({"side_info": {"count": 1, "bits": 8}}, r"gave \(4, 2, 8, 8\) float32; need \(symbols, side information\)"),
        ({"encoder": "number"}, "is a int; need a torch.nn.Module"),
        ({"encoder": "LEFT"}, "is a list; need a class or a function"),
        ({"encoder": {"network": f"{TOYS}:Encoder", "options": {"kopies": 2}}}, "unknown option 'kopies'; it takes"),
        ({"encoder": {"network": f"{TOYS}:Broken"}}, "option 'how' is needed and not given"),
        ({"encoder": {"network": f"{TOYS}:Encoder", "options": {"gain": "x"}}}, "cannot be made: ValueError"),
        ({"encoder": f"{TOYS}:Encoda"}, "has no 'Encoda'"),
        ({"encoder": "nowhere.py:Encoder"}, "no file 'nowhere.py'"),
        ({"encoder": "nowhere.pt"}, "encoder nowhere.pt: no such file"),
        ({"encoder": "subprocess:Popen"}, "of Python itself"),
        ({"knows": ["snr"], "encoder": "Complex", "symbols": "complex"}, "takes 2 positional arguments but 3"),
    ],
    ids=lambda value: str(value)[-50:],
)
def test_one_clear_line_says_what_is_wrong(way, says):
    with pytest.raises(SemlinkError, match=says) as fault:
        sent(spec(**way))
    assert "\n" not in str(fault.value) and any(word in str(fault.value) for word in ("encoder", "decoder", "network"))


def test_half_numbers_are_numbers():
    outcome, _ = sent(spec({"network": f"{TOYS}:Broken", "options": {"how": "half"}}))
    assert psnr(outcome) > 17


@pytest.mark.parametrize(
    "way, says",
    [
        ({"range": [1, 0]}, "need black below white"),
        ({"symbols": "complex", "unit": "number"}, "unit: number is for real numbers"),
        ({"encoder": {"network": "a.pt", "checkpoint": "b.safetensors"}}, "checkpoint: a.pt is a whole network"),
        ({"encoder": "words"}, "need file.py:Class, module:Class, or a file"),
        ({"encoder": {"network": "a.py:B", "checkpoint": "b.txt"}}, "String should match pattern"),
        ({"encoder": {"network": "a.py:B", "knows": ["noise_var"]}}, "Input should be 'snr', 'rate' or 'uses'"),
    ],
)
def test_what_means_nothing_is_refused_when_it_is_read(way, says):
    with pytest.raises(ValidationError, match=says):
        ModelSpec(kind="model", name="it", **({"encoder": "a.py:B", "decoder": "a.py:C"} | way))


# what an encoder leaves for its decoder


@pytest.mark.parametrize("cheat", model_toys.CHEATS.values())
def test_what_the_encoder_leaves_does_the_decoder_no_good(cheat, tmp_path, monkeypatch):
    monkeypatch.setenv("MODEL_TOYS", str(tmp_path))
    cheats = spec(f"In{cheat}", f"From{cheat}")
    assert psnr(sent(cheats)[0]) > 90  # it works where nobody looks
    with pytest.raises(BoundaryError, match="did not reach its antenna|not come over the air"):
        sent(cheats, audit=True)


def test_honest_networks_pass_the_proof_in_a_process_of_their_own():
    outcome, _ = sent(spec("WithSide", "FromSide", side_info={"count": 1, "bits": 8}), audit=True)
    assert psnr(outcome) > 17
