// Puts one account's mail back from a backup into a store at work, in bounded steps.
// Messages that the backup has and the mailbox of that name has not (same body, same INTERNALDATE)
// are appended with their flags; what is there is not touched, but that a body which does not read
// any more is stored anew under it. UIDs are drawn as for any append, so
// UIDVALIDITY stays and no UID is given twice (RELIABILITY.md I15, I16). To repeat it puts back
// exactly what is missing. Law: docs/storage.md "Backups". One thread at a time; blocks on disk and
// commits (offload pool).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/backup/folder.h"
#include "store/backup/key_file.h"
#include "store/directory/directory.h"
#include "store/mailbox/schema.h"
#include "store/store.h"

namespace godwit::store {

/// Messages of one plan; with limits::plan_bytes_max the bound of what one commit stamps.
inline constexpr std::size_t restore_plan_messages_max = 64;
/// Rows of a mailbox looked at in one step.
inline constexpr std::size_t restore_scan_max = 4096;
/// Mailboxes, aliases and bodies named in the report of what could not be put back.
inline constexpr std::size_t restore_problems_max = 20;

struct AccountRestoreRequest {
    std::string folder;
    std::optional<std::string> generation;
    std::string address;     ///< Of the account, in full.
    std::string to_mailbox;  ///< Everything goes below this mailbox; empty: to where it was.
};

struct AccountRestoreReport {
    std::string generation;
    std::string address;
    bool was_created = false;  ///< The account was gone; its passwords are those of the backup.
    std::uint64_t aliases_created = 0;
    std::uint64_t mailboxes_created = 0;
    std::uint64_t in_backup = 0;  ///< Messages looked at so far.
    std::uint64_t present = 0;
    std::uint64_t restored = 0;
    std::uint64_t over_quota = 0;
    std::uint64_t over_quota_bytes = 0;
    std::uint64_t mended = 0;  ///< Were there, but their body did not read: it was given back.
    std::uint64_t failed = 0;  ///< Whose body or rows the backup does not give.
    /// What was not put back, and rows of the backup that cannot be read: all of them, and the
    /// first few by name.
    std::uint64_t problem_count = 0;
    std::vector<std::string> problems;
};

class AccountRestore {
public:
    using Commit = std::function<CommitResult(Plan)>;
    /// NotFound when the backup has no such account. All pointers outlive it.
    static Result<std::unique_ptr<AccountRestore>> begin(Store* store, FileSystem* source,
                                                         AccountRestoreRequest request,
                                                         Commit commit);
    /// True when all was looked at. After an error the run is over; what it put back stays.
    Result<bool> step();
    [[nodiscard]] const AccountRestoreReport& report() const { return report_; }

private:
    AccountRestore(Store* store, BackupFolder folder, AccountRestoreRequest request, Commit commit)
        : store_(store),
          folder_(std::move(folder)),
          request_(std::move(request)),
          commit_(std::move(commit)) {}

    /// A digest of body and INTERNALDATE: what makes two messages of a mailbox the same.
    using Mark = std::uint64_t;
    struct Box {
        MailboxId source;
        MailboxFixed fixed;
        bool is_subscribed = false;
    };
    struct Candidate {
        MessageRow row;
        EmailRow email;
        bool is_there = false;  ///< And lacks its body only.
    };

    Result<> open();
    Result<> prepare_account();
    Result<> make_account(const Account& saved);
    [[nodiscard]] bool reads(const BlobId& blob) const;
    /// What the rows give; nullopt, and a problem by this name, where they are damaged.
    template <class T>
    std::optional<T> sound(const std::string& name, Result<T> found);
    void report_damage();
    Result<> prepare_aliases(const std::string& account);
    Result<> load_boxes();
    Result<> begin_box();
    Result<MailboxId> make_box(const std::string& name, const Box& box);
    Result<> annotate_box(MailboxId target, const Box& box);
    Result<> scan_present();
    Result<> append_missing();
    Result<> append(std::vector<Candidate> candidates);
    Result<std::optional<NewBody>> read_body(const EmailRow& email);
    Result<bool> has_room(const QuotaUse& more);
    FlagNames flag_names(const MessageFlags& flags) const;
    Result<> change(const std::function<Result<Plan>(const Snapshot&)>& make_plan);
    void problem(std::string text);
    enum class Phase : std::uint8_t { Account, Mailbox, Scan, Append, Done };

    Store* store_;
    BackupFolder folder_;
    AccountRestoreRequest request_;
    Commit commit_;
    AccountRestoreReport report_;
    Phase phase_ = Phase::Account;
    BackupManifest manifest_;
    // Three readers, each with its own block: messages, emails and bodies lie apart.
    std::optional<KeyFileReader> rows_;
    std::optional<KeyFileReader> emails_;
    std::optional<KeyFileReader> bodies_;
    std::optional<BackupSegments> segments_;
    AccountId saved_;    // In the backup.
    AccountId account_;  // In the store.
    std::vector<std::string> keywords_;
    std::vector<Box> boxes_;
    std::size_t box_ = 0;
    MailboxId target_;
    Uid scan_from_{1};
    Uid append_from_{1};
    std::unordered_map<Mark, std::uint32_t> present_;  // Of the mailbox at hand, with counts.
};

}  // namespace godwit::store
