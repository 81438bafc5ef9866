#include "app/survey_errand.h"

#include <future>
#include <memory>
#include <utility>

#include "net/io/shard.h"

namespace godwit::app {
namespace {

/// Two lifetimes: the task, which may be destroyed with its shard, and the thread that waits, which
/// may have gone.
struct Slip {
    std::promise<Result<flow::Survey>> answer;
    bool is_answered = false;

    Slip() = default;
    Slip(const Slip&) = delete;
    Slip& operator=(const Slip&) = delete;
    ~Slip() {
        if (!is_answered) {
            answer.set_value(temporary_error(ErrorCode::Cancelled, "the server ends"));
        }
    }
    void fill(Result<flow::Survey> found) {
        is_answered = true;
        answer.set_value(std::move(found));
    }
};

net::Task<void> look(const flow::Services* services, flow::SurveyQuestion question,
                     std::shared_ptr<Slip> slip) {
    slip->fill(co_await flow::survey(services, std::move(question)));
}

}  // namespace

Result<flow::Survey> SurveyErrand::run(flow::SurveyQuestion question) {
    if (is_busy_.test_and_set()) {
        return temporary_error(ErrorCode::Unavailable, "another test-route is under way");
    }
    net::Shard* const shard = services_->shards.front();
    auto slip = std::make_shared<Slip>();
    std::future<Result<flow::Survey>> answer = slip->answer.get_future();
    net::spawn(*shard, "survey", look(services_, std::move(question), std::move(slip)));
    const bool is_there = answer.wait_for(survey_patience) == std::future_status::ready;
    is_busy_.clear();
    if (!is_there) {
        return temporary_error(ErrorCode::Timeout, "no answer within " +
                                                       std::to_string(survey_patience.count()) +
                                                       " s: a host or a name server is silent");
    }
    return answer.get();
}

}  // namespace godwit::app
