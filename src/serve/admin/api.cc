// Dispatches administrators' calls by one table.
#include "serve/admin/api.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/limits.h"
#include "serve/admin/calls.h"

namespace godwit::serve {
namespace {

constexpr auto kCalls = std::to_array<AdminCall>({
    {"account.add", add_account},
    {"account.allow_sender", allow_sender},
    {"account.app_password.add", add_app_password},
    {"account.app_password.list", list_app_passwords},
    {"account.app_password.remove", remove_app_password},
    {"account.change", change_account},
    {"account.deny_sender", deny_sender},
    {"account.forward", forward_account},
    {"account.list", list_accounts},
    {"account.passwd", change_password},
    {"account.remove", remove_account},
    {"acl.list", list_acl},
    {"acl.remove", remove_acl},
    {"acl.set", set_acl},
    {"alias.add", add_alias},
    {"alias.change", change_alias},
    {"alias.list", list_aliases},
    {"alias.remove", remove_alias},
    {"backup.begin", begin_backup},
    {"backup.step", continue_work},
    {"domain.add", add_domain},
    {"domain.change", change_domain},
    {"domain.list", list_domains},
    {"domain.remove", remove_domain},
    {"export.body", export_body},
    {"export.folders", export_folders},
    {"export.messages", export_messages},
    {"fsck", check_store},
    {"import.folder", import_folder},
    {"import.known", import_known},
    {"import.messages", import_messages},
    {"import.numbers", import_numbers},
    {"index.list", list_indexes},
    {"message.show", show_message},
    {"queue.delete", delete_queued},
    {"queue.expire", expire_queued},
    {"queue.hold", hold_queued},
    {"queue.list", list_queued},
    {"queue.release", release_queued},
    {"queue.reroute", reroute_queued},
    {"queue.resume", resume_queue},
    {"queue.retry", retry_queued},
    {"queue.show", show_queued},
    {"queue.summary", summarize_queue},
    {"queue.suspend", suspend_queue},
    {"queue.suspensions", list_suspensions},
    {"queue.why", explain_queued},
    {"reindex", make_indexes_anew},
    {"reload", reload_server},
    {"restore.begin", begin_restore},
    {"restore.step", continue_work},
    {"route.test", test_route},
    {"scrub", request_scrub},
    {"site.list", list_sites},
    {"srs.rotate", rotate_address_keys},
    {"status", show_status},
    {"tls_report.list", list_tls_reports},
    {"tls_report.show", show_tls_report},
    {"trace.find", find_traces},
});
static_assert(std::ranges::is_sorted(kCalls, {}, &AdminCall::name));

Result<std::string> run_call(const AdminHost& host, AdminVisit& visit, std::string_view request) {
    if (request.size() > limits::admin_request_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "request exceeds " + std::to_string(limits::admin_request_size_max) +
                              " octets (limits.h: admin_request_size_max)");
    }
    const JsonValue value = TRY(parse_json(request));
    const std::string name = value.string_or("call", "");
    const auto found =
        std::ranges::lower_bound(kCalls, std::string_view(name), {}, &AdminCall::name);
    if (found == kCalls.end() || found->name != name) {
        return peer_error(ErrorCode::Unsupported, "there is no call '" + name + "'");
    }
    static const JsonValue kNone{JsonValue::Object{}};
    const JsonValue* arguments = value.find("arguments");
    if (arguments == nullptr) {
        arguments = &kNone;
    }
    if (arguments->object() == nullptr) {
        return peer_error(ErrorCode::Invalid, "'arguments' must be an object");
    }
    return found->run(host, AdminArguments(*arguments, &visit));
}

}  // namespace

std::span<const AdminCall> admin_calls() {
    return kCalls;
}

Result<std::string> AdminArguments::text(std::string_view name) const {
    const JsonValue* member = value_.find(name);
    const std::string* text = member != nullptr ? member->string() : nullptr;
    if (text == nullptr || text->empty()) {
        return peer_error(ErrorCode::Invalid, "'" + std::string(name) + "' must be a text");
    }
    return *text;
}

std::string AdminArguments::text_or(std::string_view name, std::string_view fallback) const {
    return value_.string_or(name, fallback);
}

bool AdminArguments::flag(std::string_view name) const {
    return value_.bool_or(name, false);
}

Result<std::size_t> AdminArguments::count_or(std::string_view name, std::size_t fallback,
                                             std::size_t most) const {
    if (!has(name)) {
        return fallback;
    }
    const auto digits = parse_u32(value_.string_or(name, ""));
    const std::int64_t count = digits ? std::int64_t{*digits} : value_.int_or(name, 0);
    if (count < 1 || std::cmp_greater(count, most)) {
        return peer_error(
            ErrorCode::Invalid,
            "'" + std::string(name) + "' must be a number from 1 to " + std::to_string(most));
    }
    return static_cast<std::size_t>(count);
}

Result<std::vector<std::string>> AdminArguments::texts(std::string_view name) const {
    std::vector<std::string> out;
    const JsonValue* member = value_.find(name);
    if (member == nullptr) {
        return out;
    }
    if (const std::string* text = member->string()) {
        out.push_back(*text);
        return out;
    }
    if (member->array() == nullptr) {
        return peer_error(ErrorCode::Invalid,
                          "'" + std::string(name) + "' must be a list of texts");
    }
    for (const JsonValue& item : *member->array()) {
        if (item.string() == nullptr) {
            return peer_error(ErrorCode::Invalid,
                              "'" + std::string(name) + "' must be a list of texts");
        }
        out.push_back(*item.string());
    }
    return out;
}

std::string_view to_string(ErrorCode code) {
    switch (code) {
        case ErrorCode::Invalid: return "invalid";
        case ErrorCode::LimitExceeded: return "limit_exceeded";
        case ErrorCode::NotFound: return "not_found";
        case ErrorCode::AlreadyExists: return "already_exists";
        case ErrorCode::Denied: return "denied";
        case ErrorCode::OverQuota: return "over_quota";
        case ErrorCode::DiskFull: return "disk_full";
        case ErrorCode::Timeout: return "timeout";
        case ErrorCode::Closed: return "closed";
        case ErrorCode::Unavailable: return "unavailable";
        case ErrorCode::Unsupported: return "unsupported";
        case ErrorCode::Stale: return "stale";
        case ErrorCode::Corrupt: return "corrupt";
        case ErrorCode::Io: return "io";
        case ErrorCode::WouldBlock: return "would_block";
        case ErrorCode::Cancelled: return "cancelled";
    }
    return "invalid";
}

std::string admin_error(const Error& error) {
    JsonWriter json;
    json.begin_object().field("ok", false).key("error").begin_object();
    json.field("code", to_string(error.code)).field("text", error.text);
    json.field("temporary", error.kind == ErrorKind::Temporary).end_object().end_object();
    return std::move(json).take();
}

std::string answer_admin(const AdminHost& host, std::string_view request) {
    AdminVisit visit;
    return answer_admin(host, visit, request);
}

namespace {

std::string answer_of(const Result<std::string>& result, const AdminVisit& visit) {
    if (!result) {
        return admin_error(result.error());
    }
    JsonWriter json;
    json.begin_object().field("ok", true);
    if (visit.outflow) {
        json.field("octets", visit.outflow->size());
    }
    json.key("result").raw(*result).end_object();
    return std::move(json).take();
}

}  // namespace

std::uint64_t admin_octets(std::string_view request) {
    if (request.size() > limits::admin_request_size_max) {
        return 0;
    }
    const auto value = parse_json(request);
    const std::int64_t octets = value ? value->int_or("octets", 0) : 0;
    return octets > 0 ? static_cast<std::uint64_t>(octets) : 0;
}

std::string answer_admin(const AdminHost& host, AdminVisit& visit, std::string_view request) {
    visit.intake.reset();
    visit.outflow.reset();
    visit.octets = admin_octets(request);
    const Result<std::string> result = run_call(host, visit, request);
    if (!result) {
        visit.intake.reset();
        visit.outflow.reset();
    }
    return answer_of(result, visit);
}

std::string finish_admin(AdminVisit& visit) {
    const std::unique_ptr<AdminIntake> intake = std::move(visit.intake);
    return answer_of(intake->finish(), visit);
}

}  // namespace godwit::serve
