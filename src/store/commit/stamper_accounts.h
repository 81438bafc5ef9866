// Account heads, mailbox counters and keyword dictionaries in memory, as the stamper moves them.
// Written to rows once a group. A plan that fails is taken back whole. Commit thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "store/commit/stamper_rows.h"
#include "store/directory/quota.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

/// A mailbox as the stamper holds it. Change it through AccountStates only.
struct StampedMailbox {
    MailboxFixed fixed;
    MailboxCounters counters;
    bool is_there = false;        ///< False: looked for, and not there (any more).
    bool counters_moved = false;  ///< Row N is to be written.
    std::uint64_t saved_in = 0;   ///< Number of the last plan that saved it.
};

/// A domain as the stamper holds it: what its accounts hold together (row P u).
struct StampedDomain {
    std::string name;
    struct Numbers {
        Quota account_quota;
        Quota quota;
        QuotaUse used;
        bool is_there = false;
        bool has_moved = false;
    };
    Numbers numbers;
    std::uint64_t saved_in = 0;
};

/// An account as the stamper holds it.
struct StampedAccount {
    AccountId id;
    struct Numbers {
        AccountHead head;
        Quota quota;
        StampedDomain* domain = nullptr;  ///< While it is there. AccountStates keeps it longer.
        bool is_there = false;            ///< It has its row in the directory.
        bool head_moved = false;
    };
    Numbers numbers;
    std::unordered_map<MailboxId, StampedMailbox> mailboxes;
    std::optional<std::vector<std::string>> keywords;  ///< By number, once loaded.

    std::uint64_t saved_in = 0;  ///< Number of the last plan that saved `numbers`.
    std::uint64_t used_in = 0;   ///< Number of the last plan that asked for it.

    AccountHead& head() { return numbers.head; }
};

/// More (or less) in an account, and so in its domain. The open plan has asked for the account.
void count_use(StampedAccount& account, std::int64_t bytes, std::int64_t messages);

class AccountStates {
public:
    /// `rows` must outlive this.
    explicit AccountStates(StampedRows* rows) : rows_(rows) {}

    void begin_plan();
    void roll_back();

    /// The account, to be changed by the open plan; NotFound when the directory does not have it.
    [[nodiscard]] Result<StampedAccount*> account(AccountId id);
    /// The same, also when the directory does not have it (any more).
    [[nodiscard]] Result<StampedAccount*> account_or_remains(AccountId id);
    /// A mailbox to be changed by the open plan; NotFound when there is none. Valid until the plan
    /// ends.
    [[nodiscard]] Result<StampedMailbox*> mailbox(StampedAccount& account, MailboxId id);
    /// The same, and NotFound for \Noselect names.
    [[nodiscard]] Result<StampedMailbox*> selectable(StampedAccount& account, MailboxId id);
    /// A mailbox that the open plan makes: its rows are written by the caller (B) and finish() (N).
    StampedMailbox& add_mailbox(StampedAccount& account, MailboxId id, MailboxFixed fixed);
    void remove_mailbox(StampedAccount& account, MailboxId id);

    /// Draws the next mod-sequence of the account and gives it to the mailbox.
    ModSeq draw_mod_seq(StampedAccount& account, StampedMailbox& mailbox);
    ModSeq draw_mod_seq(StampedAccount& account);
    /// max(previous + 1, now): never given twice in an account (DECISIONS 8).
    [[nodiscard]] Result<UidValidity> draw_uid_validity(StampedAccount& account, WallTime now);
    [[nodiscard]] Result<Uid> draw_uid(StampedMailbox& mailbox);
    [[nodiscard]] Result<EmailId> draw_email(StampedAccount& account);

    /// Number of a keyword (ASCII case ignored); nullopt when the dictionary lacks it.
    [[nodiscard]] Result<std::optional<std::uint8_t>> find_keyword(StampedAccount& account,
                                                                   std::string_view name);
    /// The same, and adds it. LimitExceeded when the dictionary is full or the name too long.
    [[nodiscard]] Result<std::uint8_t> add_keyword(StampedAccount& account, std::string_view name);

    /// The directory row of the account changed in the open plan: looks at it again.
    [[nodiscard]] Result<> refresh(AccountId id);
    /// The directory row of a domain changed in the open plan.
    [[nodiscard]] Result<> refresh_domain(std::string_view name);
    /// Forgets all of an account whose rows are being removed: nothing of it will be written.
    void forget(StampedAccount& account);

    /// Writes the heads and counters that moved as rows.
    void finish();
    /// Between groups: drops the least used accounts above limits::stamper_accounts_max.
    void trim();
    void clear();

private:
    struct MailboxUndo {
        StampedAccount* account;
        MailboxId mailbox;
        std::optional<StampedMailbox> before;  ///< nullopt: was not in memory.
    };
    struct NumbersUndo {
        StampedAccount* account;
        StampedAccount::Numbers before;
    };
    struct KeywordsUndo {
        StampedAccount* account;
        std::size_t count;
    };
    Result<> load_numbers(StampedAccount& account);
    [[nodiscard]] Result<StampedMailbox> load_mailbox(const StampedAccount& account,
                                                      MailboxId id) const;
    Result<> load_keywords(StampedAccount& account);
    void save(StampedAccount& account);

    // stamper_domains.cc
    struct DomainUndo {
        StampedDomain* domain;
        StampedDomain::Numbers before;
    };
    Result<StampedDomain*> domain(std::string_view name);
    Result<> load_limits(StampedDomain& domain);
    Result<> count_domains();
    void save(StampedDomain& domain);
    void leave_domain(StampedAccount& account);
    void roll_back_domains();
    void finish_domains();
    void trim_domains();

    StampedRows* rows_;
    std::unordered_map<AccountId, std::unique_ptr<StampedAccount>> accounts_;
    std::vector<StampedAccount*> moved_;  ///< Touched in the open group; may hold doubles.
    std::vector<AccountId> loaded_;       ///< By the open plan.
    std::size_t mailboxes_loaded_ = 0;    ///< Since the last trim, about.
    std::vector<NumbersUndo> numbers_undo_;
    std::vector<MailboxUndo> mailbox_undo_;
    std::vector<KeywordsUndo> keywords_undo_;
    std::uint64_t plan_ = 0;
    std::unordered_map<std::string, std::unique_ptr<StampedDomain>> domains_;
    std::vector<StampedDomain*> moved_domains_;
    std::vector<std::string> loaded_domains_;
    std::vector<DomainUndo> domain_undo_;
    /// What accounts held when a domain without a row was met first.
    std::optional<std::unordered_map<std::string, QuotaUse>> counted_;
};

}  // namespace godwit::store
