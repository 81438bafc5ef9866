// `godwit trace`: the whole life of messages, found by id, address or Message-ID; and live.
#include <algorithm>
#include <deque>
#include <map>
#include <thread>

#include "app/admin_client.h"
#include "app/commands.h"
#include "app/config_keys.h"
#include "app/json_text.h"
#include "app/places.h"
#include "base/ascii.h"
#include "base/ids.h"
#include "mail/text/timestamp.h"

namespace godwit::app {
namespace {

/// Messages whose later events are followed: the newest.
constexpr std::size_t kFollowedMax = 200;
constexpr std::chrono::seconds kFollowPause(1);

std::string one_member(std::string_view name, std::string_view value) {
    JsonWriter json;
    json.begin_object().field(name, value).end_object();
    return std::move(json).take();
}

/// " (TLSv1.3 TLS_AES_256_GCM_SHA384, verified; policy dane by dane)".
std::string tell_tls(const JsonValue& recipient) {
    const JsonValue* const tls = recipient.find("tls");
    if (tls == nullptr) {
        return "";
    }
    const std::string version = text_of(*tls, "version");
    std::string text = version.empty() ? " (no TLS" : " (" + version;
    if (!version.empty()) {
        text.append(" ").append(text_of(*tls, "cipher"));
        text.append(tls->bool_or("verified", false) ? ", verified" : ", not verified");
    }
    const std::string error = text_of(*tls, "error");
    text.append(error.empty() ? "" : ": " + error);
    return text.append("; policy ")
        .append(text_of(*tls, "policy"))
        .append(" by ")
        .append(text_of(*tls, "origin"))
        .append(")");
}

/// "2026-01-31T10:00:00Z accepted from=a@b to=c@d ..."; attempts with a line for each recipient.
std::string tell_event(const JsonValue& event) {
    std::string out = text_of(event, "at") + "  " + text_of(event, "kind");
    std::string lines;
    const JsonValue* detail = event.find("detail");
    if (detail == nullptr || detail->object() == nullptr) {
        return out + "\n";
    }
    for (const auto& [name, value] : *detail->object()) {
        if (name == "recipients" && value.array() != nullptr) {
            for (const JsonValue& one : *value.array()) {
                lines.append("    ").append(text_of(one, "to")).append(": ");
                const std::string remote = text_of(one, "remote");
                const bool is_ours = one.bool_or("local", false);
                lines.append(remote.empty() || is_ours ? "" : remote + " said: ");
                lines.append(text_of(one, "reply")).append(tell_tls(one)).append("\n");
            }
        } else {
            const bool is_time = name == "next_attempt";
            out.append("  ").append(name).append("=");
            out.append(is_time ? mail::format_timestamp(detail->int_or(name, 0))
                               : show_plain(&value));
        }
    }
    return out + "\n" + lines;
}

class Tracer {
public:
    Tracer(const Invocation& call, AdminClient& client)
        : call_(call), client_(client), is_json_(call.has("--json")) {}

    /// The ids of one page; sets after() for the next, empty when there is none.
    Result<std::vector<std::string>> find(std::size_t limit, bool from_now) {
        JsonWriter json;
        json.begin_object().field("what", what());
        if (!after_.empty()) {
            json.field("after", after_);
        } else if (const auto since = call_.value("--since")) {
            json.field("since", std::int64_t{TRY(parse_duration(*since)).count()});
        }
        json.field("limit", std::uint64_t{std::clamp<std::size_t>(limit, 1, 500)});
        json.field("from_now", from_now).end_object();
        const JsonValue page = TRY(client_.call("trace.find", json.view()));
        std::vector<std::string> ids;
        const JsonValue* rows = page.find("rows");
        if (rows != nullptr && rows->array() != nullptr) {
            for (const JsonValue& row : *rows->array()) {
                ids.push_back(row.string() != nullptr ? *row.string() : "");
            }
        }
        after_ = page.string_or("last", "");
        has_more_ = page.find("next") != nullptr;
        return ids;
    }
    void begin_after(std::string id) { after_ = std::move(id); }
    [[nodiscard]] const std::string& after() const { return after_; }
    [[nodiscard]] bool has_more() const { return has_more_; }

    Result<> show(const std::string& id) {
        const JsonValue life = TRY(client_.call("message.show", one_member("id", id)));
        if (is_json_) {
            call_.console().out((shown_ == 0 ? "[" : ",") + show_json(life));
        } else {
            std::string out = (shown_ == 0 ? "" : "\n") + id +
                              (life.bool_or("in_queue", false) ? "  (in the queue)\n" : "\n");
            for (const JsonValue& event : events_of(life)) {
                out.append("  ").append(tell_event(event));
            }
            call_.console().out(out);
        }
        ++shown_;
        return {};
    }
    [[nodiscard]] std::size_t shown() const { return shown_; }

    /// What has happened to the message since this was called last.
    Result<> show_news(const std::string& id) {
        const auto life = client_.call("message.show", one_member("id", id));
        if (!life) {
            // Its trail may have been cleared away.
            return life.error().code == ErrorCode::NotFound ? Result<>()
                                                            : std::unexpected(life.error());
        }
        std::size_t& told = told_[id];
        const JsonValue::Array events = events_of(*life);
        for (; told < events.size(); ++told) {
            if (is_json_) {
                JsonWriter json;
                json.begin_object().field("id", id).key("event").raw(show_json(events[told]));
                json.end_object();
                call_.console().out(std::string(json.view()) + "\n");
            } else {
                call_.console().out(id + "  " + tell_event(events[told]));
            }
        }
        return {};
    }
    void forget(const std::string& id) { told_.erase(id); }

private:
    static JsonValue::Array events_of(const JsonValue& life) {
        const JsonValue* events = life.find("events");
        return events != nullptr && events->array() != nullptr ? *events->array()
                                                               : JsonValue::Array{};
    }
    [[nodiscard]] std::string what() const {
        return call_.arguments().empty() ? "" : call_.arguments().front();
    }

    const Invocation& call_;
    AdminClient& client_;
    bool is_json_;
    std::string after_;
    bool has_more_ = false;
    std::size_t shown_ = 0;
    std::map<std::string, std::size_t> told_;
};

Result<> follow(AdminClient& client, Tracer& tracer) {
    if (!client.is_online()) {
        return temporary_error(ErrorCode::Closed, "no server runs: nothing new can happen");
    }
    std::deque<std::string> followed;
    TRY(tracer.find(1, true));
    for (;;) {
        for (std::string& id : TRY(tracer.find(kFollowedMax, false))) {
            followed.push_back(std::move(id));
        }
        while (followed.size() > kFollowedMax) {
            tracer.forget(followed.front());
            followed.pop_front();
        }
        for (const std::string& id : followed) {
            TRY(tracer.show_news(id));
        }
        if (!tracer.has_more()) {
            std::this_thread::sleep_for(kFollowPause);
        }
    }
}

Result<> trace(const Invocation& call, AdminClient& client) {
    Tracer tracer(call, client);
    if (call.has("--follow")) {
        return follow(client, tracer);
    }
    if (call.arguments().empty()) {
        return peer_error(ErrorCode::Invalid, "say which: an id, an address or a Message-ID");
    }
    const std::string what = call.arguments().front();
    const auto limit = parse_u32(call.value_or("--limit", "50"));
    if (!limit || *limit == 0) {
        return peer_error(ErrorCode::Invalid, "--limit: expected a number from 1");
    }
    if (parse_mail_id(what)) {
        TRY(tracer.show(what));
    } else {
        tracer.begin_after(call.value_or("--after", ""));
        do {
            for (const std::string& id : TRY(tracer.find(*limit - tracer.shown(), false))) {
                TRY(tracer.show(id));
            }
        } while (tracer.has_more() && tracer.shown() < *limit);
    }
    if (call.has("--json")) {
        call.console().out(tracer.shown() == 0 ? "[]\n" : "]\n");
    } else if (tracer.shown() == 0) {
        call.console().out("Nothing is known of " + what + ".\n");
    } else if (tracer.has_more()) {
        call.console().out("There may be more: --after " + tracer.after() + "\n");
    }
    return {};
}

}  // namespace

int run_trace(const Invocation& call) {
    const auto settings = find_server(call);
    if (!settings) {
        return call.fail(settings.error());
    }
    auto client = AdminClient::open(*settings);
    if (!client) {
        return call.fail(client.error());
    }
    const auto done = trace(call, *client);
    return done ? kExitDone : call.fail(done.error());
}

}  // namespace godwit::app
