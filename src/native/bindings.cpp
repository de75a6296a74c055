// The Python module vecphe.arithmetic._native: thin wrappers that release the GIL around the kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#if defined(__linux__)
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "checkpoint.h"
#include "decryptor.h"
#include "dispatch.h"
#include "fixed_base.h"
#include "power.h"
#include "ring.h"
#include "tally.h"

namespace nb = nanobind;
using namespace nb::literals;
using namespace vecphe;

namespace {

using Words = nb::ndarray<const std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Indices = nb::ndarray<const std::int64_t, nb::ndim<1>, nb::c_contig, nb::device::cpu>;
using Bytes = std::vector<std::uint8_t>;

Bytes to_vector(const nb::bytes& bytes) {
    const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.c_str());
    return Bytes(data, data + bytes.size());
}

nb::bytes to_bytes(const Bytes& bytes) { return nb::bytes(reinterpret_cast<const char*>(bytes.data()), bytes.size()); }

// What was done in all threads since the module was loaded; the GIL guards it.
Tally totals;

// Adds what this thread did to the totals.
void add_to_totals() {
    totals.products += tally.products;
    totals.squares += tally.squares;
    totals.delayed += tally.delayed;
    totals.montgomeries += tally.montgomeries;
    totals.reductions += tally.reductions;
    totals.looked_up += tally.looked_up;
    totals.multiply_adds += tally.multiply_adds;
    tally = Tally();
}

// Adds what a thread did in one call to the totals. Stands outside the release of the GIL.
struct Tallied {
    Tallied() { tally = Tally(); }
    Tallied(const Tallied&) = delete;
    ~Tallied() { add_to_totals(); }
};

// One guard of two members, since nanobind does not say in which order it makes several: the GIL is back before the
// totals are touched.
struct TalliedWithoutGil {
    Tallied tallied;
    nb::gil_scoped_release release;
};
using WithoutGil = nb::call_guard<TalliedWithoutGil>;

// Python answers signals in the thread it was started in. No other one should wait for the GIL here: it may never come
// once the interpreter ends.
bool answers_signals() {
#if defined(__linux__)
    return syscall(SYS_gettid) == getpid();
#else
    return true;
#endif
}

// Work was given up because another thread said so.
struct Cancelled : std::runtime_error {
    Cancelled() : std::runtime_error("cancelled") {}
};

// A byte that another thread sets to have the calls of this one end.
thread_local const volatile std::uint8_t* watched = nullptr;

// What long work asks every 50 ms; see checkpoint.h.
void answer_signals() {
    if (watched && *watched) throw Cancelled();
    if (!answers_signals()) return;
    nb::gil_scoped_acquire gil;
    add_to_totals();
    if (PyErr_CheckSignals()) throw nb::python_error();
}

// One value that depends on all that was done keeps it from being optimised away.
std::uint64_t multiply_add(std::uint64_t rounds, const std::string& name) {
    const Target& target = find_target(name);
    constexpr std::uint64_t kTogether = 1 << 16;
    nb::gil_scoped_release release;
    std::uint64_t sum = 0;
    for (std::uint64_t left = rounds; left;) {
        const std::uint64_t some = std::min(kTogether, left);
        checkpoint(kPeakMultiplyAdds * static_cast<std::int64_t>(some) * target.lanes);
        sum += target.peak(some);
        left -= some;
    }
    return sum;
}

using Flag = nb::ndarray<const std::uint8_t, nb::shape<1>, nb::device::cpu>;

nb::dict counts() {
    nb::dict d;
    d["products"] = totals.products;
    d["squares"] = totals.squares;
    d["delayed"] = totals.delayed;
    d["montgomeries"] = totals.montgomeries;
    d["reductions"] = totals.reductions;
    d["looked_up"] = totals.looked_up;
    d["multiply_adds"] = totals.multiply_adds;
    return d;
}

template <class F>
auto without_gil(F&& f) {
    TalliedWithoutGil guard;
    return f();
}

void require_rows(std::size_t rows, std::size_t count) {
    if (rows != count) throw std::invalid_argument("one row of words a residue");
}

template <class T>
T entry(const nb::dict& d, const char* key) {
    T value;
    if (!d.contains(key) || !nb::try_cast<T>(d[key], value))
        throw nb::value_error((std::string("constants: no ") + key + ", or none that fits").c_str());
    return value;
}

RingConstants ring_constants(const nb::dict& d) {
    auto get = [&](const char* key) { return to_vector(entry<nb::bytes>(d, key)); };
    return RingConstants{
        entry<int>(d, "k"), get("n"),    get("n_squared"), get("kn"), get("one0"),
        get("one1"),        get("r3_0"), get("r3_1"),      get("r2"), entry<std::size_t>(d, "ciphertext_bytes")};
}

PrimeConstants prime_constants(const nb::dict& d) {
    auto get = [&](const char* key) { return to_vector(entry<nb::bytes>(d, key)); };
    return PrimeConstants{get("p"),    get("kp"),   get("one0"), get("one1"), get("r3_0"),
                          get("r3_1"), get("q_r3"), get("h"),    get("q"),    get("exponent")};
}

Batch load(const Ring& ring, const nb::bytes& data) {
    if (data.size() % ring.ciphertext_bytes()) throw InvalidResidue();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.c_str());
    return without_gil([&] { return ring.load(bytes, data.size() / ring.ciphertext_bytes()); });
}

nb::bytes store(const Ring& ring, const Batch& batch) {
    ring.check(batch);
    const std::size_t size = checked_size(batch.count(), ring.ciphertext_bytes());
    PyObject* object = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(size));
    if (!object) throw nb::python_error();
    nb::bytes bytes = nb::steal<nb::bytes>(object);
    auto* data = reinterpret_cast<std::uint8_t*>(PyBytes_AsString(object));
    without_gil([&] { ring.store(batch, data); });
    return bytes;
}

}  // namespace

NB_MODULE(_native, m) {
    // Rings are cached until the interpreter ends, which nanobind would report as leaks.
    nb::set_leak_warnings(false);
    m.doc() = "Vectorised arithmetic mod n^2; used through vecphe.arithmetic.native.";
    nb::exception<InvalidResidue>(m, "InvalidResidue", PyExc_ValueError);
    nb::exception<Cancelled>(m, "Cancelled", PyExc_RuntimeError);
    ask_at_checkpoints(&answer_signals);

    m.def(
        "multiply_add", &multiply_add, "rounds"_a, "target"_a = "ifma512",
        "Do `rounds` times 16 multiply-adds of all lanes of a target, and nothing else: the rate of the core itself.");
#if defined(VECPHE_VERIFY)
    m.attr("VERIFY") = true;
#else
    m.attr("VERIFY") = false;
#endif

    m.def("counts", &counts, "What the kernels did since the module was loaded, in lanes; see tally.h.");
    m.def(
        "watch", [](const std::optional<Flag>& flag) { watched = flag ? flag->data() : nullptr; }, "flag"_a.none(),
        "Have the calls of this thread raise Cancelled once a byte is not 0. It has to live until None, or another, is "
        "said.");
    m.def(
        "targets",
        [] {
            nb::list list;
            for (const Target* target : targets()) {
                const std::string reason = target->why_not();
                list.append(nb::make_tuple(target->name, target->lanes,
                                           reason.empty() ? nb::none() : nb::object(nb::cast(reason))));
            }
            return list;
        },
        "(name, lanes, why it does not run here, or None) of each target, fastest first.");
    m.attr("LIMB_BITS") = kLimbBits;
    m.attr("MAX_LIMBS") = kMaxLimbs;
    m.attr("MODULUS_SLACK") = kModulusSlack;
    m.attr("TABLE_SLACK") = kTableSlack;
    m.attr("LANES") = kLanes;

    nb::class_<Batch>(m, "Batch").def("__len__", &Batch::count).def_prop_ro("nbytes", &Batch::bytes);

    nb::class_<Ring>(m, "Ring")
        .def(
            "__init__",
            [](Ring* self, const std::string& target, const nb::dict& constants) {
                new (self) Ring(find_target(target), ring_constants(constants));
            },
            "target"_a, "constants"_a)
        .def("load", &load, "data"_a)
        .def("store", &store, "batch"_a)
        .def("ones", &Ring::ones, WithoutGil(), "count"_a)
        .def(
            "take",
            [](const Ring& self, const Batch& batch, const Indices& indices) {
                return without_gil([&] { return self.take(batch, indices.data(), indices.shape(0)); });
            },
            "batch"_a, "indices"_a)
        .def(
            "concatenate",
            [](const Ring& self, const nb::list& list) {
                std::vector<nb::object> held;  // the list may change while the GIL is released
                std::vector<const Batch*> batches;
                for (nb::handle item : list) {
                    if (!nb::isinstance<Batch>(item)) throw nb::type_error("concatenate takes batches");
                    held.push_back(nb::borrow(item));
                    batches.push_back(&nb::cast<const Batch&>(item));
                }
                return without_gil([&] { return self.concatenate(batches); });
            },
            "batches"_a)
        .def("multiply", &Ring::multiply, WithoutGil(), "left"_a, "right"_a)
        .def(
            "multiply_plain",
            [](const Ring& self, const Batch& batch, const Words& words, const nb::bytes& offset) {
                require_rows(words.shape(0), batch.count());
                const Bytes shift = to_vector(offset);
                return without_gil([&] { return self.multiply_plain(batch, words.data(), words.shape(1), shift); });
            },
            "batch"_a, "words"_a, "offset"_a)
        .def("product", &Ring::product, WithoutGil(), "batch"_a, "outer"_a, "terms"_a, "inner"_a)
        .def(
            "grouped_product",
            [](const Ring& self, const Batch& batch, const Indices& keys, std::size_t groups) {
                require_rows(keys.shape(0), batch.count());
                return without_gil([&] { return self.grouped_product(batch, keys.data(), groups); });
            },
            "batch"_a, "keys"_a, "groups"_a)
        .def(
            "unit_witness",
            [](const Ring& self, const Batch& batch) {
                return to_bytes(without_gil([&] { return self.unit_witness(batch); }));
            },
            "batch"_a)
        .def("prefix_products", &Ring::prefix_products, WithoutGil(), "batch"_a)
        .def("invert_from", &Ring::invert_from, WithoutGil(), "batch"_a, "prefixes"_a, "inverse"_a)
        .def(
            "power",
            [](const Ring& self, const Batch& batch, const Words& exponents, std::size_t bits) {
                require_rows(exponents.shape(0), batch.count());
                return without_gil([&] { return power(self, batch, exponents.data(), exponents.shape(1), bits); });
            },
            "batch"_a, "exponents"_a, "bits"_a)
        .def(
            "matrix_power_vartime",
            [](const Ring& self, const Batch& batch, const Words& exponents, std::size_t rows, std::size_t bits) {
                require_rows(exponents.shape(0), checked_size(rows, batch.count()));
                return without_gil([&] {
                    return matrix_power_vartime(self, batch, exponents.data(), rows, exponents.shape(1), bits);
                });
            },
            "batch"_a, "exponents"_a, "rows"_a, "bits"_a);

    nb::class_<FixedBase>(m, "FixedBase")
        .def(
            "__init__",
            [](FixedBase* self, const Ring& ring, const Batch& seeds, std::size_t bits, int window) {
                without_gil([&] { new (self) FixedBase(ring, seeds, bits, window); });
            },
            "ring"_a, "seeds"_a, "bits"_a, "window"_a, nb::keep_alive<1, 2>())
        .def_prop_ro("table_bytes", &FixedBase::table_bytes)
        .def(
            "power_secret",
            [](const FixedBase& self, const Words& exponents) {
                return without_gil(
                    [&] { return self.power_secret(exponents.data(), exponents.shape(1), exponents.shape(0)); });
            },
            "exponents"_a);

    nb::class_<Decryptor>(m, "Decryptor")
        .def(
            "__init__",
            [](Decryptor* self, const std::string& target, int k, std::size_t bits, const nb::dict& p,
               const nb::dict& q) {
                new (self) Decryptor(find_target(target), k, bits, prime_constants(p), prime_constants(q));
            },
            "target"_a, "k"_a, "bits"_a, "p"_a, "q"_a)
        .def(
            "decrypt",
            [](const Decryptor& self, const Ring& ring, const Batch& batch, const nb::bytes& offset,
               nb::ndarray<std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> plaintexts) {
                require_rows(plaintexts.shape(0), batch.count());
                const Bytes shift = to_vector(offset);
                without_gil([&] { self.decrypt(ring, batch, shift, plaintexts.data(), plaintexts.shape(1)); });
            },
            "ring"_a, "batch"_a, "offset"_a, "plaintexts"_a);
}
