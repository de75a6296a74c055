// The Python module vecphe.arithmetic._native: thin wrappers that release the GIL around the kernels.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "decryptor.h"
#include "dispatch.h"
#include "fixed_base.h"
#include "power.h"
#include "ring.h"
#include "tally.h"
#include "targets/peak.h"

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

// Adds what a thread did in one call to the totals. Stands outside the release of the GIL.
struct Tallied {
    Tallied() { tally = Tally(); }
    Tallied(const Tallied&) = delete;
    ~Tallied() {
        totals.products += tally.products;
        totals.squares += tally.squares;
        totals.delayed += tally.delayed;
        totals.montgomeries += tally.montgomeries;
        totals.reductions += tally.reductions;
        totals.looked_up += tally.looked_up;
        totals.multiply_adds += tally.multiply_adds;
    }
};

// One guard of two members, since nanobind does not say in which order it makes several: the GIL is back before the
// totals are touched.
struct TalliedWithoutGil {
    Tallied tallied;
    nb::gil_scoped_release release;
};
using WithoutGil = nb::call_guard<TalliedWithoutGil>;

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

void require_rows(const Words& words, std::size_t count) {
    if (words.shape(0) != count) throw std::invalid_argument("one row of words a residue");
}

RingConstants ring_constants(const nb::dict& d) {
    auto get = [&](const char* key) { return to_vector(nb::cast<nb::bytes>(d[key])); };
    return RingConstants{nb::cast<int>(d["k"]), get("n"),    get("n_squared"), get("kn"), get("one0"), get("one1"),
                         get("r3_0"),           get("r3_1"), get("r2"),        nb::cast<std::size_t>(d["ciphertext_bytes"])};
}

PrimeConstants prime_constants(const nb::dict& d) {
    auto get = [&](const char* key) { return to_vector(nb::cast<nb::bytes>(d[key])); };
    return PrimeConstants{get("p"),    get("kp"), get("one0"), get("one1"), get("r3_0"),
                          get("r3_1"), get("q_r3"), get("h"),  get("q"),    get("exponent")};
}

Batch load(const Ring& ring, const nb::bytes& data) {
    if (data.size() % ring.ciphertext_bytes()) throw InvalidResidue();
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(data.c_str());
    return without_gil([&] { return ring.load(bytes, data.size() / ring.ciphertext_bytes()); });
}

nb::bytes store(const Ring& ring, const Batch& batch) {
    PyObject* object = PyBytes_FromStringAndSize(nullptr, static_cast<Py_ssize_t>(batch.count() * ring.ciphertext_bytes()));
    if (!object) throw nb::python_error();
    nb::bytes bytes = nb::steal<nb::bytes>(object);
    auto* data = reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(object));
    without_gil([&] { ring.store(batch, data); });
    return bytes;
}

}  // namespace

NB_MODULE(_native, m) {
    // Rings are cached until the interpreter ends, which nanobind would report as leaks.
    nb::set_leak_warnings(false);
    m.doc() = "Vectorised arithmetic mod n^2; used through vecphe.arithmetic.native.";
    nb::exception<InvalidResidue>(m, "InvalidResidue", PyExc_ValueError);

#if defined(VECPHE_WITH_IFMA)
    m.def("multiply_add", &ifma512_multiply_add, "rounds"_a, nb::call_guard<nb::gil_scoped_release>());
#endif
#if defined(VECPHE_VERIFY)
    m.attr("VERIFY") = true;
#else
    m.attr("VERIFY") = false;
#endif

    m.def("counts", &counts, "What the kernels did since the module was loaded, in lanes; see tally.h.");
    m.def("targets", [] {
        nb::list list;
        for (const TargetStatus& s : targets())
            list.append(nb::make_tuple(s.target->name, s.target->lanes, s.supported, s.reason));
        return list;
    }, "(name, lanes, supported, reason) of each target, fastest first.");

    nb::class_<Batch>(m, "Batch")
        .def("__len__", &Batch::count)
        .def_prop_ro("nbytes", &Batch::bytes);

    nb::class_<Ring>(m, "Ring")
        .def("__init__", [](Ring* self, const std::string& target, const nb::dict& constants) {
            new (self) Ring(find_target(target), ring_constants(constants));
        }, "target"_a, "constants"_a)
        .def("load", &load, "data"_a)
        .def("store", &store, "batch"_a)
        .def("ones", &Ring::ones, "count"_a)
        .def("take", [](const Ring& self, const Batch& batch, const Indices& indices) {
            return without_gil([&] { return self.take(batch, indices.data(), indices.shape(0)); });
        }, "batch"_a, "indices"_a)
        .def("concatenate", [](const Ring& self, const nb::list& list) {
            std::vector<nb::object> held;  // the list may change while the GIL is released
            std::vector<const Batch*> batches;
            for (nb::handle item : list) {
                held.push_back(nb::borrow(item));
                batches.push_back(&nb::cast<const Batch&>(item));
            }
            return without_gil([&] { return self.concatenate(batches); });
        }, "batches"_a)
        .def("multiply", &Ring::multiply, WithoutGil(), "left"_a, "right"_a)
        .def("multiply_plain", [](const Ring& self, const Batch& batch, const Words& words, const nb::bytes& offset) {
            require_rows(words, batch.count());
            const Bytes shift = to_vector(offset);
            return without_gil([&] { return self.multiply_plain(batch, words.data(), words.shape(1), shift); });
        }, "batch"_a, "words"_a, "offset"_a)
        .def("product", &Ring::product, WithoutGil(), "batch"_a, "outer"_a, "terms"_a,
             "inner"_a)
        .def("unit_witness", [](const Ring& self, const Batch& batch) {
            return to_bytes(without_gil([&] { return self.unit_witness(batch); }));
        }, "batch"_a)
        .def("prefix_products", &Ring::prefix_products, WithoutGil(), "batch"_a)
        .def("invert_from", &Ring::invert_from, WithoutGil(), "batch"_a, "prefixes"_a,
             "inverse"_a)
        .def("power", [](const Ring& self, const Batch& batch, const Words& exponents, std::size_t bits) {
            require_rows(exponents, batch.count());
            return without_gil([&] { return power(self, batch, exponents.data(), exponents.shape(1), bits); });
        }, "batch"_a, "exponents"_a, "bits"_a)
        .def("matrix_power_vartime", [](const Ring& self, const Batch& batch, const Words& exponents, std::size_t rows,
                                        std::size_t bits) {
            require_rows(exponents, checked_size(rows, batch.count()));
            return without_gil([&] {
                return matrix_power_vartime(self, batch, exponents.data(), rows, exponents.shape(1), bits);
            });
        }, "batch"_a, "exponents"_a, "rows"_a, "bits"_a);

    nb::class_<FixedBase>(m, "FixedBase")
        .def("__init__", [](FixedBase* self, const Ring& ring, const Batch& seeds, std::size_t bits, int window) {
            without_gil([&] { new (self) FixedBase(ring, seeds, bits, window); });
        }, "ring"_a, "seeds"_a, "bits"_a, "window"_a, nb::keep_alive<1, 2>())
        .def_prop_ro("table_bytes", &FixedBase::table_bytes)
        .def("power_secret", [](const FixedBase& self, const Words& exponents) {
            return without_gil([&] {
                return self.power_secret(exponents.data(), exponents.shape(1), exponents.shape(0));
            });
        }, "exponents"_a);

    nb::class_<Decryptor>(m, "Decryptor")
        .def("__init__", [](Decryptor* self, const std::string& target, int k, std::size_t bits, const nb::dict& p,
                            const nb::dict& q) {
            new (self) Decryptor(find_target(target), k, bits, prime_constants(p), prime_constants(q));
        }, "target"_a, "k"_a, "bits"_a, "p"_a, "q"_a)
        .def("decrypt", [](const Decryptor& self, const Ring& ring, const Batch& batch, const nb::bytes& offset,
                           nb::ndarray<std::uint64_t, nb::ndim<2>, nb::c_contig, nb::device::cpu> plaintexts) {
            if (plaintexts.shape(0) != batch.count()) throw std::invalid_argument("one row of words a residue");
            const Bytes shift = to_vector(offset);
            without_gil([&] { self.decrypt(ring, batch, shift, plaintexts.data(), plaintexts.shape(1)); });
        }, "ring"_a, "batch"_a, "offset"_a, "plaintexts"_a);
}
