"""Which engine runs: HAZARDS row 46."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from vecphe.arithmetic import (
    active_engine,
    available_engines,
    engine_for,
    engine_named,
    selection,
    words_from_integers,
)
from vecphe.arithmetic.gmp import GmpEngine, GmpRing, Pairs
from vecphe.errors import EngineFallbackWarning, EngineUnavailableError, InvalidCiphertextError

RUNNING = [name for name, why_not in available_engines() if why_not is None]
WHY_NOT_IFMA = dict(available_engines())["ifma"]
KNOWN = ["ifma", "ifma256", "fma512", "fma256", "neon"]


@pytest.fixture
def fresh_selection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VECPHE_ENGINE", raising=False)
    monkeypatch.setattr(selection, "parent_process", lambda: None)  # `make mutants` runs tests in child processes
    for cached in (selection._fastest, selection._passes, selection._native, selection._race):
        monkeypatch.setattr(selection, cached.__name__, _uncached(cached))


def _uncached(function: Any) -> Any:
    return function.__wrapped__


def test_the_ifma_engine_runs_where_the_cpu_has_it() -> None:
    """Fails, not skips, where the fast engine should have been tested and was not."""
    if os.environ.get("VECPHE_REQUIRE_NATIVE") == "0" or os.environ.get("VECPHE_ENGINE"):
        pytest.skip("VECPHE_ENGINE or NATIVE=0 asks for another engine: THE IFMA ENGINE IS NOT UNDER TEST")
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    if "avx512ifma" not in flags:
        pytest.skip("this CPU has no AVX-512 IFMA: THE IFMA ENGINE IS NOT UNDER TEST")
    assert WHY_NOT_IFMA is None
    assert active_engine().name == "ifma"
    assert engine_named("ifma").describe()["lanes"] == 8


def test_the_order_of_preference() -> None:
    assert [name for name, _ in available_engines()] == [
        *("ifma", "ifma256", "fma512", "fma256", "neon"),
        *("gmp", "portable", "cuda"),
    ]


@pytest.mark.parametrize(
    ("compiled", "engines"),
    [
        (["ifma512", "ifma256", "fma512", "fma256", "portable"], [*KNOWN, "gmp", "portable"]),
        (["ifma512", "ifma256", "fma512", "fma256", "new", "portable"], [*KNOWN[:4], "new", "neon", "gmp", "portable"]),
        (["new", "portable"], ["new", *KNOWN, "gmp", "portable"]),
        (["neon", "portable"], ["neon", *KNOWN[:4], "gmp", "portable"]),
        (["portable"], [*KNOWN, "gmp", "portable"]),
    ],
)
def test_targets_that_are_compiled_in_are_engines(
    compiled: list[str], engines: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = SimpleNamespace(supported_targets=lambda: [(name, None) for name in compiled])
    monkeypatch.setattr(selection, "_native", lambda: kernel)
    candidates = selection._candidates()
    assert list(candidates) == [*engines, "cuda"]
    assert candidates.pop("cuda").by_name_only
    reasons = {name: candidate.why_not() for name, candidate in candidates.items()}
    for name, reason in reasons.items():
        is_there = {"ifma": "ifma512"}.get(name, name) in [*compiled, "gmp"]
        assert reason is None if is_there else "not compiled in" in str(reason)


@pytest.mark.parametrize(
    ("machine", "target", "reason"),
    [
        ("x86_64", "neon", "it is for AArch64, and this is x86_64"),
        ("arm64", "fma256", "it is for x86-64, and this is arm64"),
        ("", "fma256", "it is for x86-64, and this is another kind of CPU"),
        ("AMD64", "ifma512", "the compiler cannot make it"),
        ("arm64", "neon", "the compiler cannot make it"),
        ("arm64", "portable", "the compiler cannot make it"),
    ],
)
def test_h46_a_target_of_another_kind_of_cpu_says_so(
    machine: str, target: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "_native", lambda: SimpleNamespace(supported_targets=list))
    monkeypatch.setattr(selection.platform, "machine", lambda: machine)
    assert selection._native_candidate(target).why_not() == f"not compiled in: {reason}"


@pytest.mark.parametrize("name", RUNNING)
def test_h46_the_engine_that_was_asked_for_is_the_one_that_runs(name: str) -> None:
    script = (
        "import json, vecphe; k, s = vecphe.generate_keypair(256, insecure=True);"
        "print(json.dumps([k._context.engine.name, s.decrypt(k.encrypt([1.5, 2.5]) * 2).tolist()]))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script],
        env={**os.environ, "VECPHE_ENGINE": name},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [name, [3.0, 5.0]]


def test_h46_an_unknown_engine_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VECPHE_ENGINE", "warp")
    with pytest.raises(EngineUnavailableError, match=r"'warp'; choose one of ifma, .*gmp"):
        active_engine()
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    assert active_engine().name == "gmp"


def test_h46_an_engine_this_cpu_does_not_run_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    unsupported = selection._Candidate(lambda: "this CPU lacks avx1024", GmpEngine)
    monkeypatch.setitem(selection._engines(), "wide", unsupported)
    monkeypatch.setenv("VECPHE_ENGINE", "wide")
    with pytest.raises(EngineUnavailableError, match="does not run here: this CPU lacks avx1024"):
        active_engine()


class _Faulty(GmpRing):
    def multiply(self, left: Pairs, right: Pairs) -> Pairs:
        x0, x1 = super().multiply(left, right)
        return Pairs(x0, [x + 1 for x in x1])


class _FaultyEngine(GmpEngine):
    name = "faulty"

    def ring(self, n: int) -> GmpRing:
        return _Faulty(n)


@pytest.mark.usefixtures("fresh_selection")
def test_h46_a_failed_self_test_warns_and_falls_back(monkeypatch: pytest.MonkeyPatch) -> None:
    good = selection._Candidate(lambda: None, GmpEngine)
    bad = selection._Candidate(lambda: None, _FaultyEngine)
    monkeypatch.setattr(selection, "_ENGINES", {"faulty": bad, "gmp": good})
    with pytest.warns(EngineFallbackWarning, match="'faulty' failed its self-test") as told:
        assert active_engine().name == "gmp"
    assert [warning.filename for warning in told] == [__file__]  # it points at who asked
    monkeypatch.setenv("VECPHE_ENGINE", "faulty")
    with pytest.raises(EngineUnavailableError, match="failed its self-test"):
        active_engine()


@pytest.mark.usefixtures("fresh_selection")
def test_h46_an_engine_by_name_only_is_never_chosen_silently(monkeypatch: pytest.MonkeyPatch) -> None:
    class Device(GmpEngine):
        name = "device"

        def describe(self) -> dict[str, Any]:
            return {"target": "a device", "pays": "from 9"}

    named = selection._Candidate(lambda: None, Device, by_name_only=True)
    good = selection._Candidate(lambda: None, GmpEngine)
    monkeypatch.setattr(selection, "_ENGINES", {"device": named, "gmp": good})
    assert active_engine().name == "gmp"
    reason = "a device is there, but is used only where engine='device' or VECPHE_ENGINE asks; it pays from 9"
    assert selection.why_not_used() == {"device": reason}
    monkeypatch.setenv("VECPHE_ENGINE", "device")
    assert active_engine().name == "device"


@pytest.mark.usefixtures("fresh_selection")
def test_info_says_why_an_engine_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = (selection._Candidate(lambda: None, engine) for engine in (GmpEngine, _FaultyEngine))
    missing = selection._Candidate(lambda: "this CPU lacks avx1024", GmpEngine)
    monkeypatch.setattr(selection, "_ENGINES", {"wide": missing, "faulty": bad, "gmp": good, "slow": good})
    with pytest.warns(EngineFallbackWarning):
        reasons = selection.why_not_used()
    assert reasons == {
        "wide": "this CPU lacks avx1024",
        "faulty": "its self-test failed on this machine",
        "slow": "gmp is faster",
    }
    monkeypatch.setenv("VECPHE_ENGINE", "gmp")
    assert selection.why_not_used()["slow"] == "VECPHE_ENGINE=gmp asks for another"


@pytest.mark.usefixtures("fresh_selection")
def test_a_kernel_that_was_not_built_is_told_with_the_way_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_native", lambda: None)
    monkeypatch.setattr(selection, "_has_fast_target", lambda: True)
    reasons = dict(available_engines())
    assert reasons["gmp"] is None
    for name in (*KNOWN, "portable"):
        assert "install a C++ compiler" in str(reasons[name])
    with pytest.warns(EngineFallbackWarning, match="install a C") as told:
        assert active_engine().name == "gmp"
    assert len(told) == 1


@pytest.mark.usefixtures("fresh_selection")
def test_where_a_compiler_would_not_help_none_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Warnings are errors here."""
    monkeypatch.setattr(selection, "_native", lambda: None)
    monkeypatch.setattr(selection, "_has_fast_target", lambda: False)
    assert active_engine().name == "gmp"


@pytest.mark.parametrize(
    ("machine", "cpuinfo", "fast"),
    [
        ("x86_64", "flags : sse2 fma avx avx2", True),
        ("x86_64", "avx2 fma", True),
        ("x86_64", "flags : sse2 avx avx512ifma fma4", False),
        ("x86_64", "flags : sse2 avx2", False),
        ("x86_64", "flags : fma avx", False),
        ("x86_64", None, True),
        ("AMD64", None, True),
        ("aarch64", "Features : fp asimd", True),
        ("riscv64", None, False),
    ],
)
def test_cpus_on_which_a_kernel_is_faster(
    monkeypatch: pytest.MonkeyPatch, machine: str, cpuinfo: str | None, fast: bool
) -> None:
    def read_text(path: Path, **_: str) -> str:
        if cpuinfo is None:
            raise FileNotFoundError
        return cpuinfo

    monkeypatch.setattr(selection.platform, "machine", lambda: machine)
    monkeypatch.setattr(selection.Path, "read_text", read_text)
    assert selection._has_fast_target() == fast


def test_what_a_cpu_says_of_itself_may_be_no_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    told = tmp_path / "cpuinfo"
    told.write_bytes(b"model name : \xff\xfe\nflags : fma avx2\n")
    monkeypatch.setattr(selection.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(selection, "Path", lambda _: told)
    assert selection._has_fast_target() is True


@pytest.mark.usefixtures("fresh_selection")
def test_a_kernel_that_was_not_built_makes_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_native", lambda: None)
    with pytest.raises(EngineUnavailableError, match="install a C"):
        selection._native_candidate("ifma512").make()


@pytest.mark.usefixtures("fresh_selection")
def test_info_says_why_an_engine_by_name_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def make() -> GmpEngine:
        raise EngineUnavailableError("the device is on fire")

    named = selection._Candidate(lambda: None, make, by_name_only=True)
    good = selection._Candidate(lambda: None, GmpEngine)
    monkeypatch.setattr(selection, "_ENGINES", {"device": named, "gmp": good})
    assert selection.why_not_used() == {"device": "the device is on fire"}


@pytest.mark.usefixtures("fresh_selection")
def test_h46_without_any_engine_that_computes_right_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = selection._Candidate(lambda: None, _FaultyEngine)
    monkeypatch.setattr(selection, "_ENGINES", {"faulty": bad, "wide": selection._Candidate(lambda: "no", GmpEngine)})
    monkeypatch.setattr(selection, "_warn", lambda _: None)
    for ask in (active_engine, lambda: engine_for(15), lambda: selection.engine_or_default(15, None)):
        with pytest.raises(EngineUnavailableError) as told:
            ask()
        assert str(told.value) == "no engine passed its self-test on this machine"


def test_importing_does_not_warn() -> None:
    script = "import warnings; warnings.simplefilter('error'); import vecphe, vecphe.arithmetic"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize("name", RUNNING)
def test_the_self_test_fails_on_a_wrong_product(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = engine_named(name)
    assert selection.self_test(engine)
    ring_type = type(engine.ring(15))
    right = ring_type.multiply
    monkeypatch.setattr(ring_type, "multiply", lambda self, a, b: right(self, a, self.ones(self.size(b))))
    assert not selection.self_test(engine)


def test_keys_too_long_for_an_engine_fall_to_gmp() -> None:
    assert engine_for((1 << 8192) - 1) is active_engine()
    assert engine_for(1 << 8192).name == "gmp"


@pytest.mark.parametrize("method", ["multiply_plain", "fixed_base", "multiply"])
def test_the_self_test_asks_for_every_operation_of_a_small_key(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = getattr(GmpRing, method)

    def wrong(self: GmpRing, *arguments: Any) -> Any:
        if method == "fixed_base":
            return SimpleNamespace(power_secret=lambda words: self.ones(len(words)))
        first, *rest = self.store(right(self, *arguments))
        return self.load([(first + 1) % self.n**2, *rest])

    engine = GmpEngine()
    assert selection.self_test(engine)
    monkeypatch.setattr(GmpRing, method, wrong)
    assert not selection.self_test(engine)


def test_the_self_test_takes_known_answers_and_decryption_into_account(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(GmpEngine, "known_answers", lambda _: False)
        assert not selection.self_test(GmpEngine())
    for wrong in ([5, 87, 2], [5, 86, 3], [6, 87, 3]):
        with monkeypatch.context() as patched:
            decryptor = SimpleNamespace(decrypt=lambda *_, wrong=wrong: words_from_integers(wrong, 1))
            patched.setattr(GmpEngine, "decryptor", lambda *_, decryptor=decryptor: decryptor)
            assert not selection.self_test(GmpEngine())


def test_a_decryptor_that_finds_itself_wrong_fails_the_self_test(monkeypatch: pytest.MonkeyPatch) -> None:
    def decrypt(*_: Any) -> None:
        raise InvalidCiphertextError

    monkeypatch.setattr(GmpEngine, "decryptor", lambda *_: SimpleNamespace(decrypt=decrypt))
    assert selection.self_test(GmpEngine()) is False


def test_an_engine_that_does_not_run_here_says_why_in_both_places() -> None:
    reasons = selection.why_not_used()
    assert reasons.keys() == dict(available_engines()).keys() - {active_engine().name}
    for name, why_not in available_engines():
        if why_not is not None:
            assert reasons[name] == why_not


@pytest.mark.parametrize("exponent", [0, 1, 2**64 - 1])
def test_the_self_test_asks_for_the_least_and_the_greatest_exponents(
    exponent: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = GmpRing.fixed_base

    def wrong(self: GmpRing, base: int, bits: int, window: int) -> Any:
        table = right(self, base, bits, window)
        assert (bits, window) == (64, 4)

        def power_secret(words: Any) -> Any:
            values = zip(self.store(table.power_secret(words)), words[:, 0], strict=True)
            return self.load([(v + (int(e) == exponent)) % self.n**2 for v, e in values])

        return SimpleNamespace(power_secret=power_secret)

    monkeypatch.setattr(GmpRing, "fixed_base", wrong)
    assert not selection.self_test(GmpEngine())
