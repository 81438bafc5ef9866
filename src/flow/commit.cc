#include "flow/commit.h"

#include "net/io/completion.h"
#include "store/store.h"

namespace godwit::flow {

namespace {
// Completion wants a Result; a plan's failure travels beside the receipt.
struct Outcome {
    store::CommitResult result;
};
}  // namespace

net::Task<store::CommitResult> commit(store::Store* store, store::Plan plan) {
    net::Completion<Result<Outcome>> done;
    store->committer().submit(std::make_unique<store::Plan>(std::move(plan)),
                              [answer = done.completer()](store::CommitResult result) mutable {
                                  answer.complete(Outcome{std::move(result)});
                              });
    Result<Outcome> outcome = co_await done;
    if (!outcome) {
        co_return std::unexpected(store::PlanFailure{std::move(outcome).error(), 0});
    }
    co_return std::move(outcome->result);
}

net::Task<Result<>> commit_all(store::Store* store, store::Plan plan) {
    store::CommitResult result = co_await commit(store, std::move(plan));
    if (!result) {
        co_return std::unexpected(std::move(result.error().error));
    }
    co_return Result<>();
}

}  // namespace godwit::flow
