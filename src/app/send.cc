// godwit send: writes a message and submits it.
#include <filesystem>

#include "app/commands.h"
#include "app/file.h"
#include "app/submit_client.h"
#include "base/ascii.h"
#include "base/clock.h"
#include "base/encoding.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/random.h"
#include "mail/message/builder.h"

namespace godwit::app {
namespace {

struct TypeRow {
    std::string_view extension;
    std::string_view type;
};
constexpr TypeRow kTypes[] = {
    {".txt", "text/plain"},      {".html", "text/html"},      {".pdf", "application/pdf"},
    {".png", "image/png"},       {".jpg", "image/jpeg"},      {".jpeg", "image/jpeg"},
    {".gif", "image/gif"},       {".csv", "text/csv"},        {".json", "application/json"},
    {".zip", "application/zip"}, {".gz", "application/gzip"}, {".eml", "message/rfc822"},
};

std::string type_of_file(const std::string& path) {
    const std::string extension = to_lower(std::filesystem::path(path).extension().string());
    for (const TypeRow& row : kTypes) {
        if (row.extension == extension && row.type != "message/rfc822") {
            return std::string(row.type);
        }
    }
    return "application/octet-stream";
}

Result<std::vector<mail::NamedAddress>> read_addresses(const Invocation& call,
                                                       std::string_view option) {
    std::vector<mail::NamedAddress> out;
    for (const std::string& text : call.values(option)) {
        out.push_back({.name = "", .address = TRY(mail::parse_address(text))});
    }
    return out;
}

Result<mail::Draft> read_draft(const Invocation& call) {
    mail::Draft draft;
    const std::string from = call.value_or("--from", call.value_or("--user", ""));
    if (from.empty() || (!call.has("--from") && from.find('@') == std::string::npos)) {
        return peer_error(ErrorCode::Invalid, "say who writes: --from ADDRESS");
    }
    auto sender = mail::parse_address(from);
    if (!sender) {
        return std::unexpected(std::move(sender.error()).within("--from"));
    }
    const std::string unique = hex_encode(system_random().bytes(12));
    draft.message_id = "<" + unique + "@" + sender->domain + ">";
    draft.from.push_back({.name = "", .address = *std::move(sender)});
    draft.to = TRY(read_addresses(call, "--to"));
    draft.cc = TRY(read_addresses(call, "--cc"));
    draft.subject = call.value_or("--subject", "");
    draft.date = unix_seconds(system_clock().wall());
    draft.boundary_seed = unique;
    const std::string body = call.value_or("--body", "-");
    draft.text = body == "-" ? TRY(call.console().input(limits::sendmail_message_size_max)) : body;
    for (const std::string& path : call.values("--attach")) {
        draft.attachments.push_back(
            {.file_name = std::filesystem::path(path).filename().string(),
             .content_type = type_of_file(path),
             .content = TRY(read_file(path, limits::sendmail_message_size_max))});
    }
    return draft;
}

Result<> read_server(const Invocation& call, SubmitRequest& request) {
    const std::string server = call.value_or("--server", "127.0.0.1:20587");
    if (server.starts_with("unix:")) {
        request.host = server;
    } else {
        const std::size_t colon = server.rfind(':');
        const auto port =
            colon == std::string::npos ? std::nullopt : parse_u32(server.substr(colon + 1));
        if (!port || *port == 0 || *port > 65535 || colon == 0) {
            return peer_error(ErrorCode::Invalid,
                              "--server: expected HOST:PORT, found '" + server + "'");
        }
        request.host = server.substr(0, colon);
        if (request.host.starts_with('[') && request.host.ends_with(']')) {
            request.host = request.host.substr(1, request.host.size() - 2);
        }
        request.port = static_cast<std::uint16_t>(*port);
    }
    const std::string fallback = request.host.starts_with("unix:") ? "none"
                                 : request.port % 1000 == 465      ? "implicit"
                                                                   : "starttls";
    const std::string how = call.value_or("--tls", fallback);
    if (how != "none" && how != "starttls" && how != "implicit") {
        return peer_error(ErrorCode::Invalid,
                          "--tls: expected none, starttls or implicit, found '" + how + "'");
    }
    request.tls = how == "none"       ? SubmitTls::None
                  : how == "starttls" ? SubmitTls::StartTls
                                      : SubmitTls::Implicit;
    request.ca_file = call.value_or("--ca", "");
    if (const auto user = call.value("--user")) {
        sasl::Credentials credentials;
        credentials.name = *user;
        credentials.password = call.has("--password") ? call.value_or("--password", "")
                                                      : TRY(call.console().password("Password"));
        request.credentials = std::move(credentials);
    }
    return {};
}

Result<SubmitRequest> read_request(const Invocation& call) {
    SubmitRequest request;
    TRY(read_server(call, request));
    const mail::Draft draft = TRY(read_draft(call));
    const auto bcc = TRY(read_addresses(call, "--bcc"));
    request.mail.sender = draft.from.front().address;
    for (const auto* list : {&draft.to, &draft.cc, &bcc}) {
        for (const mail::NamedAddress& one : *list) {
            request.mail.recipients.push_back({.address = one.address, .parameters = {}});
        }
    }
    if (request.mail.recipients.empty()) {
        return peer_error(ErrorCode::Invalid, "say to whom: --to ADDRESS");
    }
    request.message = TRY(mail::build_message(draft));
    describe_content(request);
    return request;
}

void print_done(const Invocation& call, const SubmitRequest& request,
                const std::vector<smtp::Outcome>& outcomes) {
    if (!call.has("--json")) {
        const std::string reply = accepted_reply(outcomes);
        call.console().out(reply.empty() ? "" : reply + "\n");
        return;
    }
    JsonWriter json;
    json.begin_object().key("recipients").begin_array();
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
        json.begin_object().field("address", request.mail.recipients[i].address.to_string());
        json.field("accepted", outcomes[i].kind == smtp::OutcomeKind::Delivered);
        json.field("reply", smtp::to_string(outcomes[i].reply)).end_object();
    }
    json.end_array().end_object();
    call.console().out(std::move(json).take() + "\n");
}

}  // namespace

int run_send(const Invocation& call) {
    auto request = read_request(call);
    if (!request) {
        return call.fail_usage(request.error().text);
    }
    const auto outcomes = submit(*request);
    if (!outcomes) {
        return call.fail(outcomes.error());
    }
    print_done(call, *request, *outcomes);
    std::string complaints;
    const int code = report_outcomes(*request, *outcomes, complaints);
    call.console().err(complaints);
    return code;
}

}  // namespace godwit::app
