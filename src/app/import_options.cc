#include "app/import_options.h"

#include <algorithm>

#include "app/places.h"
#include "base/ascii.h"

namespace godwit::app {

namespace {

constexpr std::string_view kRoles[] = {"archive", "drafts", "junk", "sent", "trash"};

/// "FROM=TO", parted at the last '='.
Result<std::map<std::string, std::string, std::less<>>> read_pairs(const Invocation& call,
                                                                   std::string_view option) {
    std::map<std::string, std::string, std::less<>> pairs;
    for (const std::string& text : call.values(option)) {
        const std::size_t at = text.rfind('=');
        if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
            return peer_error(ErrorCode::Invalid, std::string(option) + ": expected '" + text +
                                                      "' to be two names with '=' between");
        }
        pairs[text.substr(0, at)] = text.substr(at + 1);
    }
    return pairs;
}

Result<FolderRules> read_rules(const Invocation& call) {
    FolderRules rules;
    rules.names = TRY(read_pairs(call, "--map"));
    rules.roles = TRY(read_pairs(call, "--role"));
    for (auto& [folder, role] : rules.roles) {
        const std::string name = to_lower(role);
        if (name == "none") {
            role.clear();
            continue;
        }
        if (std::ranges::find(kRoles, name) == std::end(kRoles)) {
            return peer_error(
                ErrorCode::Invalid,
                "--role: '" + role + "' is none of archive, drafts, junk, sent, trash, none");
        }
        role = "\\" + name;
        role[1] = static_cast<char>(role[1] - 'a' + 'A');
    }
    rules.only = call.values("--only");
    rules.uids = call.has("--uids");
    rules.unique_ids = call.has("--uidls");
    rules.source = call.value_or("--source", "");
    return rules;
}

}  // namespace

int run_import(const Invocation& call, const std::function<Result<>(ImportDesk&)>& work) {
    auto rules = read_rules(call);
    if (!rules) {
        return call.fail_usage(rules.error().text);
    }
    const auto settings = find_server(call);
    if (!settings) {
        return call.fail(settings.error());
    }
    auto client = AdminClient::open(*settings);
    if (!client) {
        return call.fail(client.error());
    }
    MoveReport report(call.console(), "imported");
    ImportDesk desk(*std::move(client), call.arguments().front(), *std::move(rules), &report);
    const Result<> done = work(desk);
    const int code = report.finish(call);
    return done ? code : call.fail(done.error());
}

}  // namespace godwit::app
