// The administrators' call that walks the store (store/fsck.h).
#include "store/fsck.h"
#include "store/kv/record.h"
#include "store/scrub.h"

#include "serve/admin/calls.h"
#include "store/store.h"

namespace godwit::serve {

namespace {

Result<std::string> list_damaged(const AdminHost& host) {
    const auto all = TRY(store::read_damaged(*host.store->snapshot(), store::ReadTier::Disk));
    JsonWriter json;
    json.begin_object().key("damaged").begin_array();
    for (const store::Damaged& damaged : all) {
        json.begin_object().field("row", store::key_text(damaged.key));
        json.field("found", show_time(damaged.found)).field("error", damaged.error).end_object();
    }
    json.end_array().field("good", all.empty()).end_object();
    return std::move(json).take();
}

}  // namespace

Result<std::string> request_scrub(const AdminHost& host, const AdminArguments&) {
    TRY(change_store(host, [](const store::Snapshot& snapshot) -> Result<store::Plan> {
        return store::plan_scrub_request(
            TRY(store::read_scrub_state(snapshot, store::ReadTier::Disk)));
    }));
    if (host.wake_scrubber) {
        host.wake_scrubber();
    }
    return std::string(R"({"requested":true})");
}

Result<std::string> check_store(const AdminHost& host, const AdminArguments& arguments) {
    if (arguments.flag("damaged")) {
        return list_damaged(host);
    }
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
