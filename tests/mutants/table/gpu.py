"""The engine for GPUs: rows 61 and 82, and what keeps its secrets."""

from tests.mutants.model import Mutant

ENGINE = "arithmetic/cuda.py"
DEVICE = "arithmetic/cuda_device.py"
KERNELS = "arithmetic/kernels.cu"
TESTS = "arithmetic/test_cuda.py::test_"
FAILS = TESTS + "h82_a_device_that_fails_computes_nothing_more"
EDGES = TESTS + "limb_edges_at_every_compiled_length"
DECRYPTION = TESTS + "h82_a_fault_during_decryption_is_found"

MUTANTS = [
    Mutant(
        (82,),
        DEVICE,
        "        if os.getpid() != self._process:\n",
        "        if False:\n",
        (TESTS + "h82_a_forked_child_is_told_to_spawn",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "    if _asked_in and os.getpid() not in _asked_in:\n",
        "    if False:\n",
        (TESTS + "h82_a_forked_child_that_asks_anew_is_told_to_spawn",),
    ),
    Mutant((82,), DEVICE, "        if self._fault:\n", "        if False:\n", (FAILS,)),
    Mutant(
        (82,),
        DEVICE,
        "        except self._faults as error:\n            if getattr",
        "        except KeyError as error:\n            if getattr",
        (FAILS,),
    ),
    Mutant(
        (82,),
        DEVICE,
        '            if getattr(error, "status", None) == _NO_MEMORY:',
        "            if False:",
        (TESTS + "h82_out_of_gpu_memory_is_told_and_passes",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "        except self._faults as error:\n            raise EngineUnavailableError(\n",
        "        except KeyError as error:\n            raise EngineUnavailableError(\n",
        (TESTS + "h82_a_gpu_that_another_process_has_for_itself_is_told",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "        except MemoryError:",
        "        except KeyError:",
        (TESTS + "h82_out_of_gpu_memory_is_told_and_passes",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "        if 0 < driver < 1000 * needed:\n",
        "        if False:\n",
        (TESTS + "h82_no_gpu_or_an_old_driver_is_told",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "        except Exception as error:  # of NVRTC,",
        "        except KeyError as error:  # of NVRTC,",
        (TESTS + "h82_kernels_that_cannot_be_compiled_are_told",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "        cupy.cuda.nvrtc.getVersion()\n",
        "        pass\n",
        (TESTS + "h82_no_compiler_is_told_before_anything_is_computed",),
    ),
    Mutant(
        (82,),
        ENGINE,
        "            if not _known_answer(kernels):\n",
        "            if False:\n",
        (TESTS + "h82_a_kernel_that_is_wrong_fails_the_self_test",),
    ),
    Mutant(
        (82,),
        "arithmetic/selection.py",
        "    except InvalidCiphertextError:  # a decryptor",
        "    except KeyError:  # a decryptor",
        (TESTS + "h82_a_decryption_that_is_wrong_fails_the_self_test",),
    ),
    Mutant((82,), ENGINE, "        if device.download(wrong)[0]:\n", "        if False:\n", (DECRYPTION,)),
    Mutant((82,), KERNELS, "            put_any(wrong,", "            if (0) put_any(wrong,", (DECRYPTION,)),
    Mutant(
        (46,),
        "arithmetic/selection.py",
        "        if candidate.by_name_only:\n",
        "        if False:\n",
        ("arithmetic/test_selection.py::test_h46_an_engine_by_name_only_is_never_chosen_silently",),
    ),
    Mutant(
        (61,),
        "arithmetic/cuda_kernels.py",
        "step = max(min(room // words, most), 1)",
        "step = max(count, 1)",
        (TESTS + "h61_what_does_not_fit_the_device_is_cut",),
    ),
    Mutant(
        (82,),
        DEVICE,
        "            self._device.erase(self.memory)\n",
        "            pass\n",
        (TESTS + "buffers_are_overwritten_when_they_go",),
    ),
    Mutant((31,), KERNELS, "choose(is_lane(0), above, 0)", "choose(is_lane(0), 0, 0)", (EDGES,)),
    Mutant(
        (47,), KERNELS, "ROLLED for (int turn = 0; turn < T; turn++)", "for (int turn = 1; turn < T; turn++)", (EDGES,)
    ),
]
