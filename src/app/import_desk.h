// Where the importing programs hand messages over to the server: in groups, each one call and one
// commit (serve/admin/import_messages.cc). docs/decisions/0025.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/admin_client.h"
#include "app/move_report.h"
#include "app/spool.h"

namespace godwit::app {

/// A group goes when it has this many messages, or this many octets, or its line is this long.
inline constexpr std::size_t import_group_messages = 128;
inline constexpr std::uint64_t import_group_octets = 2ULL * 1024 * 1024;
inline constexpr std::size_t import_group_line = 48 * 1024;

/// How folders are called here and what they are for.
struct FolderRules {
    std::map<std::string, std::string, std::less<>> names;  ///< --map FROM=TO.
    std::map<std::string, std::string, std::less<>> roles;  ///< --role FOLDER=ROLE.
    std::vector<std::string> only;                          ///< --only; empty: all.
    bool uids = false;
    bool unique_ids = false;
    std::string source;  ///< --source; empty: what the source is called by itself.

    [[nodiscard]] bool takes(std::string_view folder) const;
    [[nodiscard]] std::string name_of(std::string_view folder) const;
    /// "\\Sent" and so on: as said, else `given`, else by what such folders are often called.
    [[nodiscard]] std::string role_of(std::string_view folder, std::string_view given) const;
};

/// A folder there and here.
struct ImportFolder {
    std::string source;  ///< Its name there.
    std::string name;    ///< Its name here.
    std::uint32_t mailbox = 0;
};

struct FolderWanted {
    std::string source;
    std::string role{};  ///< As the source says; empty: it does not.
    bool subscribed = false;
};

struct ImportMessage {
    std::string label;   ///< What the report calls it.
    std::string origin;  ///< origin_of().
    std::int64_t date = 0;
    std::vector<std::string> flags;
    std::uint32_t uid = 0;  ///< 0: any.
    std::string unique_id;
    Spool octets;
};

/// What tells a message from all others, in the 16 octets that the store keeps.
std::string origin_of(std::string_view source, std::string_view folder, std::string_view message);

/// One connection to the server, shared by those who import at once. Any thread.
class ImportDesk {
public:
    ImportDesk(AdminClient client, std::string account, FolderRules rules, MoveReport* report)
        : client_(std::move(client)),
          account_(std::move(account)),
          rules_(std::move(rules)),
          report_(report) {}

    /// Makes it where it is not there. nullopt: it could not be, which is in the report.
    Result<std::optional<ImportFolder>> open(const FolderWanted& wanted);
    /// UIDVALIDITY before the first message, UIDNEXT behind the last; 0: not. False: refused, which
    /// is in the report.
    Result<bool> take_numbers(const ImportFolder& folder, std::uint32_t uid_validity,
                              std::uint32_t uid_next);
    /// Of each origin whether its message came before.
    Result<std::vector<bool>> known(const std::vector<std::string>& origins);
    Result<> send(const ImportFolder& folder, std::vector<ImportMessage>& group);
    [[nodiscard]] const FolderRules& rules() const { return rules_; }
    [[nodiscard]] MoveReport& report() { return *report_; }

private:
    /// Before each call: what comes from far away may have taken long.
    Result<> refresh();

    std::mutex mutex_;
    AdminClient client_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
    std::string account_;
    FolderRules rules_;
    MoveReport* report_;
};

/// Messages of one folder on their way to the desk. One thread.
class ImportGroup {
public:
    ImportGroup(ImportDesk* desk, ImportFolder folder) : desk_(desk), folder_(std::move(folder)) {}
    Result<> add(ImportMessage message);
    Result<> flush();
    [[nodiscard]] const ImportFolder& folder() const { return folder_; }

private:
    ImportDesk* desk_;
    ImportFolder folder_;
    std::vector<ImportMessage> group_;
    std::uint64_t octets_ = 0;
    std::size_t line_ = 0;
};

}  // namespace godwit::app
