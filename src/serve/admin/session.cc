// One administrator's connection.
#include "serve/admin/session.h"

#include <algorithm>
#include <array>
#include <optional>

#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "flow/roll_call.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

/// What was called and by whom; never the arguments, which may hold a password.
void note(const net::Stream& stream, std::string_view request, std::string_view answer) {
    const auto value = parse_json(request);
    const auto who = stream.credentials();
    log::info("admin.call",
              {{"call", value ? value->string_or("call", "") : std::string("(malformed)")},
               {"uid", who ? std::uint64_t{who->user_id} : std::uint64_t{0}},
               {"ok", answer.starts_with("{\"ok\":true")}});
}

/// True when the session goes on.
net::Task<Result<bool>> read_more(net::Stream* stream, std::string* input) {
    stream->set_deadline(stream->shard().now() + limits::admin_idle_timeout);
    const net::Readiness ready = CO_TRY(co_await stream->wait_readable());
    if (ready == net::Readiness::Interrupted) {
        co_return true;
    }
    std::array<char, 16384> block;
    const std::size_t count = CO_TRY(co_await stream->read_some(block));
    input->append(block.data(), count);
    co_return count > 0;
}

/// The octets behind a request, handed on in blocks of limits::stream_write_buffer_max. Those that
/// nobody wants are read all the same: the next request stands behind them. Gives what the intake
/// refused, if it did.
net::Task<Result<std::optional<Error>>> take_octets(flow::Services* services,
                                                    std::shared_ptr<AdminVisit> visit,
                                                    net::Stream* stream, std::string* input) {
    std::optional<Error> refused;
    for (std::uint64_t due = visit->octets; due > 0;) {
        const std::size_t wanted = std::min<std::uint64_t>(due, limits::stream_write_buffer_max);
        while (input->size() < wanted) {
            if (!CO_TRY(co_await read_more(stream, input))) {
                co_return peer_error(ErrorCode::Closed, "the octets of a request ended early");
            }
        }
        std::string block = input->substr(0, wanted);
        input->erase(0, wanted);
        due -= wanted;
        if (visit->intake == nullptr) {
            continue;
        }
        const auto taken = co_await net::offload(
            services->offload,
            [visit, block = std::move(block)] { return visit->intake->take(block); });
        if (!taken) {
            refused = taken.error();
            visit->intake.reset();
        }
    }
    co_return refused;
}

net::Task<Result<>> give_octets(flow::Services* services, std::shared_ptr<AdminVisit> visit,
                                net::Stream* stream) {
    while (visit->outflow != nullptr) {
        const std::string block = CO_TRY(
            co_await net::offload(services->offload, [visit] { return visit->outflow->next(); }));
        if (block.empty()) {
            break;
        }
        stream->set_deadline(stream->shard().now() + limits::admin_idle_timeout);
        CO_TRY(co_await stream->write_all(block));
    }
    co_return Result<>();
}

net::Task<Result<>> answer(flow::Services* services, const AdminHost* host,
                           std::shared_ptr<AdminVisit> visit, net::Stream* stream,
                           std::string request, std::string* input) {
    std::string reply;
    auto done = co_await net::offload(
        services->offload, [host, visit, request] { return answer_admin(*host, *visit, request); });
    reply = done ? *std::move(done) : admin_error(done.error());
    if (visit->octets > 0) {
        const bool had_intake = visit->intake != nullptr;
        const std::optional<Error> refused =
            CO_TRY(co_await take_octets(services, visit, stream, input));
        if (refused) {
            reply = admin_error(*refused);
        } else if (had_intake) {
            done =
                co_await net::offload(services->offload, [visit] { return finish_admin(*visit); });
            reply = done ? *std::move(done) : admin_error(done.error());
        }
    }
    note(*stream, request, reply);
    reply.push_back('\n');
    stream->set_deadline(stream->shard().now() + limits::admin_idle_timeout);
    CO_TRY(co_await stream->write_all(reply));
    crash_point<"admin.answered">();
    CO_TRY(co_await give_octets(services, visit, stream));
    co_return Result<>();
}

}  // namespace

net::Task<void> serve_admin(flow::Services* services, const AdminHost* host,
                            std::unique_ptr<net::Stream> stream) {
    const flow::Attendance attendance(services->roll_call, stream.get());
    // Shared with the call that runs: it may outlive this task by a step.
    const auto visit = std::make_shared<AdminVisit>();
    std::string input;
    // A server that ends because its disk failed says so to whoever asks, to its last moment.
    while (!attendance.is_closing() || !services->store->is_sound()) {
        const std::size_t end = input.find('\n');
        if (end != std::string::npos) {
            std::string request = input.substr(0, end);
            input.erase(0, end + 1);
            if (!co_await answer(services, host, visit, stream.get(), std::move(request), &input)) {
                co_return;
            }
            continue;
        }
        if (input.size() > limits::admin_request_size_max) {
            break;
        }
        const auto goes_on = co_await read_more(stream.get(), &input);
        if (!goes_on) {
            co_return;
        }
        if (!*goes_on) {
            break;
        }
    }
    stream->set_deadline(stream->shard().now() + std::chrono::seconds(5));
    co_await stream->close();
}

}  // namespace godwit::serve
