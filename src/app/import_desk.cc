#include "app/import_desk.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/crypto.h"
#include "base/encoding.h"
#include "base/limits.h"
#include "store/mailbox/origins.h"
#include "store/mailbox/unique_ids.h"
#include "wire/imap/flags.h"
#include "wire/imap/lexer.h"

namespace godwit::app {

namespace {

/// Well below limits::admin_idle_timeout.
constexpr std::chrono::seconds kSilenceMax(60);
static_assert(2 * kSilenceMax < limits::admin_idle_timeout);

struct RoleName {
    std::string_view name;  ///< In lower case, of the last level.
    std::string_view role;
};
// What clients and servers call them. RFC 6154 2.
constexpr RoleName kRoleNames[] = {
    {"archive", "\\Archive"},     {"archives", "\\Archive"},
    {"deleted items", "\\Trash"}, {"deleted messages", "\\Trash"},
    {"draft", "\\Drafts"},        {"drafts", "\\Drafts"},
    {"junk", "\\Junk"},           {"junk e-mail", "\\Junk"},
    {"junk email", "\\Junk"},     {"sent", "\\Sent"},
    {"sent items", "\\Sent"},     {"sent mail", "\\Sent"},
    {"sent messages", "\\Sent"},  {"spam", "\\Junk"},
    {"trash", "\\Trash"},
};

bool is_flag(std::string_view name) {
    const bool is_system =
        std::ranges::find(imap::kSystemFlags, name, &imap::SystemFlagName::name) !=
        std::end(imap::kSystemFlags);
    return is_system || (!name.empty() && name.size() <= limits::keyword_size_max &&
                         std::ranges::all_of(name, imap::is_atom_char));
}

/// As the server wants them: flags by their right spelling, none twice, what is no flag left out.
std::vector<std::string> clean_flags(std::vector<std::string> flags) {
    std::vector<std::string> out;
    for (std::string& flag : flags) {
        for (const imap::SystemFlagName& system : imap::kSystemFlags) {
            if (equals_ignore_case(system.name, flag)) {
                flag = system.name;
            }
        }
        const bool is_there = std::ranges::any_of(
            out, [&flag](const std::string& one) { return equals_ignore_case(one, flag); });
        if (!is_there && is_flag(flag) && out.size() < limits::keywords_max) {
            out.push_back(std::move(flag));
        }
    }
    return out;
}

std::string facts_of(const ImportMessage& message) {
    JsonWriter json;
    json.begin_object().field("size", message.octets.size()).field("date", message.date);
    json.field("origin", hex_encode(message.origin));
    if (message.uid != 0) {
        json.field("uid", message.uid);
    }
    if (!message.unique_id.empty()) {
        json.field("unique_id", message.unique_id);
    }
    json.key("flags").begin_array();
    for (const std::string& flag : message.flags) {
        json.string(flag);
    }
    json.end_array().end_object();
    return std::move(json).take();
}

}  // namespace

bool FolderRules::takes(std::string_view folder) const {
    return only.empty() || std::ranges::find(only, folder) != only.end();
}

std::string FolderRules::name_of(std::string_view folder) const {
    const auto found = names.find(folder);
    return found == names.end() ? std::string(folder) : found->second;
}

std::string FolderRules::role_of(std::string_view folder, std::string_view given) const {
    const auto said = roles.find(folder);
    if (said != roles.end()) {
        return said->second;
    }
    if (!given.empty()) {
        return std::string(given);
    }
    std::string_view last = folder;
    // Servers that keep all folders below INBOX have them there.
    if (to_lower(last).starts_with("inbox/")) {
        last.remove_prefix(6);
    }
    const auto* const found = std::ranges::find(kRoleNames, to_lower(last), &RoleName::name);
    return found == std::end(kRoleNames) ? std::string() : std::string(found->role);
}

std::string origin_of(std::string_view source, std::string_view folder, std::string_view message) {
    Sha256Stream hash;
    for (const std::string_view part : {source, folder, message}) {
        hash.update(part);
        hash.update(std::string_view("\0", 1));
    }
    const Sha256Digest digest = hash.finish();
    return {reinterpret_cast<const char*>(digest.data()), store::origin_size};
}

Result<> ImportDesk::refresh() {
    const auto now = std::chrono::steady_clock::now();
    if (now - last_ > kSilenceMax) {
        TRY(client_.reconnect());
    }
    last_ = now;
    return {};
}

Result<std::optional<ImportFolder>> ImportDesk::open(const FolderWanted& wanted) {
    const std::lock_guard lock(mutex_);
    TRY(refresh());
    JsonWriter json;
    json.begin_object().field("account", account_).field("name", rules_.name_of(wanted.source));
    json.field("role", rules_.role_of(wanted.source, wanted.role));
    json.field("subscribed", wanted.subscribed).end_object();
    const auto made = client_.call("import.folder", json.view());
    if (!made && made.error().kind != ErrorKind::Temporary &&
        made.error().code != ErrorCode::NotFound) {
        report_->add_problem({.folder = wanted.source, .message = "", .reason = made.error().text});
        return std::nullopt;
    }
    TRY(made);
    report_->add_folder();
    return ImportFolder{.source = wanted.source,
                        .name = made->string_or("name", ""),
                        .mailbox = static_cast<std::uint32_t>(made->int_or("mailbox", 0))};
}

Result<bool> ImportDesk::take_numbers(const ImportFolder& folder, std::uint32_t uid_validity,
                                      std::uint32_t uid_next) {
    const std::lock_guard lock(mutex_);
    TRY(refresh());
    JsonWriter json;
    json.begin_object().field("account", account_).field("mailbox", folder.mailbox);
    if (uid_validity != 0) {
        json.field("uid_validity", uid_validity);
    }
    if (uid_next != 0) {
        json.field("uid_next", uid_next);
    }
    json.end_object();
    const auto done = client_.call("import.numbers", json.view());
    if (!done && done.error().kind != ErrorKind::Temporary) {
        report_->add_problem({.folder = folder.source,
                              .message = "",
                              .reason = "its UIDs cannot be kept: " + done.error().text});
        return false;
    }
    TRY(done);
    return true;
}

Result<std::vector<bool>> ImportDesk::known(const std::vector<std::string>& origins) {
    const std::lock_guard lock(mutex_);
    TRY(refresh());
    JsonWriter json;
    json.begin_object().field("account", account_).key("origins").begin_array();
    for (const std::string& origin : origins) {
        json.string(hex_encode(origin));
    }
    json.end_array().end_object();
    const JsonValue answer = TRY(client_.call("import.known", json.view()));
    std::vector<bool> known(origins.size());
    const JsonValue* list = answer.find("known");
    if (list == nullptr || list->array() == nullptr || list->array()->size() != known.size()) {
        return internal_error(ErrorCode::Corrupt, "the server's answer makes no sense");
    }
    for (std::size_t i = 0; i < known.size(); ++i) {
        const bool* is_known = std::get_if<bool>(&(*list->array())[i].value);
        known[i] = is_known != nullptr && *is_known;
    }
    return known;
}

Result<> ImportDesk::send(const ImportFolder& folder, std::vector<ImportMessage>& group) {
    const std::lock_guard lock(mutex_);
    TRY(refresh());
    JsonWriter json;
    std::uint64_t octets = 0;
    json.begin_object().field("account", account_).field("mailbox", folder.mailbox);
    json.key("messages").begin_array();
    for (const ImportMessage& message : group) {
        json.raw(facts_of(message));
        octets += message.octets.size();
    }
    json.end_array().end_object();
    std::size_t at = 0;
    const JsonValue done = TRY(
        client_.call_giving("import.messages", json.view(), octets, [&]() -> Result<std::string> {
            while (at < group.size()) {
                std::string piece = TRY(group[at].octets.next());
                if (!piece.empty()) {
                    return piece;
                }
                ++at;
            }
            return std::string();
        }));
    bool is_full = false;
    const JsonValue* refused = done.find("refused");
    for (const JsonValue& one : *refused->array()) {
        const auto index = static_cast<std::size_t>(one.int_or("index", 0));
        if (index < group.size()) {
            octets -= group[index].octets.size();
            report_->add_failed({.folder = folder.source,
                                 .message = group[index].label,
                                 .reason = one.string_or("text", "")});
        }
        is_full = is_full || one.string_or("code", "") == "over_quota";
    }
    report_->add_known(static_cast<std::uint64_t>(done.int_or("known", 0)));
    report_->add_moved(static_cast<std::uint64_t>(done.int_or("taken", 0)), octets);
    if (is_full) {
        return peer_error(ErrorCode::OverQuota,
                          "the account is full: raise its quota and import again");
    }
    return {};
}

Result<> ImportGroup::add(ImportMessage message) {
    message.flags = clean_flags(std::move(message.flags));
    if (!store::is_unique_id(message.unique_id)) {
        message.unique_id.clear();
    }
    const std::size_t line = facts_of(message).size() + 1;
    const bool is_full = group_.size() == import_group_messages ||
                         octets_ + message.octets.size() > import_group_octets ||
                         line_ + line > import_group_line;
    if (is_full) {
        TRY(flush());
    }
    octets_ += message.octets.size();
    line_ += line;
    group_.push_back(std::move(message));
    return {};
}

Result<> ImportGroup::flush() {
    if (!group_.empty()) {
        // UIDs rise in a mailbox; a server may give its messages in any order. None (0) is the
        // last.
        std::ranges::stable_sort(group_, {},
                                 [](const ImportMessage& message) { return message.uid - 1; });
        TRY(desk_->send(folder_, group_));
    }
    group_.clear();
    octets_ = 0;
    line_ = 0;
    return {};
}

}  // namespace godwit::app
