// Administrators' request lines, against a store in memory: one line of JSON comes back whatever
// came.
#include <memory>

#include "base/json.h"
#include "input.h"
#include "serve/admin/api.h"
#include "store/store.h"

using namespace godwit;

namespace {

struct World {
    SeededRandom random{1};
    std::unique_ptr<store::Store> store;
    serve::AdminHost host;

    World() {
        store::StoreOptions options;
        options.drive = store::CommitDrive::Manual;
        options.on_fatal = [](const Error&) { check(false, "the store failed"); };
        auto opened = store::Store::open(std::move(options), &system_clock(), &random);
        check(opened.has_value(), "the store opens");
        store = *std::move(opened);
        host.store = store.get();
        host.clock = &system_clock();
        host.random = &random;
        host.argon2 = [] { return Argon2Cost{.memory_kib = 8, .passes = 1}; };
        host.default_domain = "example.test";
        host.commit = [this](store::Plan plan) {
            std::optional<store::CommitResult> result;
            store->committer().submit(
                std::make_unique<store::Plan>(std::move(plan)),
                [&result](store::CommitResult done) { result.emplace(std::move(done)); });
            while (!result) {
                store->committer().run_once();
            }
            return *std::move(result);
        };
        serve::answer_admin(host, R"({"call":"domain.add","arguments":{"domain":"example.test"}})");
    }
};

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static World world;
    const std::string answer = serve::answer_admin(world.host, fuzz::as_text(bytes, size));
    check(answer.find('\n') == std::string::npos, "an answer is one line");
    check(parse_json(answer).has_value(), "an answer is JSON");
    return 0;
}
