// The administrators' call that walks the store (store/fsck.h).
#include "store/fsck.h"

#include "serve/admin/calls.h"

namespace godwit::serve {

Result<std::string> check_store(const AdminHost& host, const AdminArguments& arguments) {
    const auto findings = TRY(store::fsck(*host.store, {.read_bodies = !arguments.flag("quick")}));
    std::uint64_t violations = 0;
    JsonWriter json;
    json.begin_object().key("invariants").begin_array();
    for (const store::FsckFinding& finding : findings) {
        violations += finding.violations;
        json.begin_object().field("invariant", finding.invariant).field("checked", finding.checked);
        json.field("violations", finding.violations).key("examples").begin_array();
        for (const std::string& example : finding.examples) {
            json.string(example);
        }
        json.end_array().end_object();
    }
    json.end_array().field("good", violations == 0).end_object();
    return std::move(json).take();
}

}  // namespace godwit::serve
