#include "dispatch.h"

#include <stdexcept>

#include "cpu.h"
#include "targets/targets.h"

namespace vecphe {

namespace {

#if defined(VECPHE_WITH_IFMA)
std::string missing(const CpuFeatures& cpu) {
    if (!cpu.avx512ifma) return "the CPU has no AVX-512 IFMA";
    if (!cpu.avx512f || !cpu.avx512dq || !cpu.avx512vl) return "the CPU lacks a part of AVX-512";
    if (!cpu.avx512_state) return "the operating system does not enable AVX-512";
    return "";
}
#endif

std::vector<TargetStatus> list_targets() {
    std::vector<TargetStatus> list;
#if defined(VECPHE_WITH_IFMA)
    const std::string reason = missing(cpu_features());
    for (const Target* target : {&kIfma512, &kIfma256}) list.push_back({target, reason.empty(), reason});
#endif
    list.push_back({&kPortable, true, ""});
    return list;
}

}  // namespace

const std::vector<TargetStatus>& targets() {
    static const std::vector<TargetStatus> list = list_targets();
    return list;
}

const Target& find_target(const std::string& name) {
    for (const TargetStatus& status : targets()) {
        if (name != status.target->name) continue;
        if (!status.supported) throw std::invalid_argument(name + ": " + status.reason);
        return *status.target;
    }
    throw std::invalid_argument("no target named " + name);
}

}  // namespace vecphe
