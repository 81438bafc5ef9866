#include "store/commit/stamper_accounts.h"

#include <algorithm>

#include "base/ascii.h"
#include "base/limits.h"
#include "store/directory/schema.h"

namespace godwit::store {

namespace {
std::unexpected<Error> spent(std::string_view what) {
    return internal_error(ErrorCode::LimitExceeded, std::string(what) + ": all numbers are given");
}
}  // namespace

void AccountStates::begin_plan() {
    ++plan_;
    loaded_.clear();
    numbers_undo_.clear();
    mailbox_undo_.clear();
    keywords_undo_.clear();
    loaded_domains_.clear();
    domain_undo_.clear();
}

void AccountStates::roll_back() {
    // A mailbox may be saved once and an account once a plan, but in any order among each other.
    for (; !mailbox_undo_.empty(); mailbox_undo_.pop_back()) {
        MailboxUndo& undo = mailbox_undo_.back();
        if (undo.before) {
            undo.account->mailboxes.insert_or_assign(undo.mailbox, *std::move(undo.before));
        } else {
            undo.account->mailboxes.erase(undo.mailbox);
        }
    }
    for (; !numbers_undo_.empty(); numbers_undo_.pop_back()) {
        numbers_undo_.back().account->numbers = numbers_undo_.back().before;
    }
    for (; !keywords_undo_.empty(); keywords_undo_.pop_back()) {
        auto& keywords = keywords_undo_.back().account->keywords;
        if (keywords) {
            keywords->resize(keywords_undo_.back().count);
        }
    }
    // What the failed plan loaded may have been read through rows that are taken back.
    for (const AccountId id : loaded_) {
        const auto entry = accounts_.find(id);
        std::erase(moved_, entry->second.get());
        accounts_.erase(entry);
    }
    loaded_.clear();
    roll_back_domains();
}

Result<> AccountStates::load_numbers(StampedAccount& account) {
    const std::optional<std::string> directory = TRY(rows_->get(account_row_key(account.id)));
    const bool was_there = account.numbers.is_there;
    account.numbers.is_there = directory.has_value();
    account.numbers.quota = {};
    if (directory) {
        const Account known = TRY(decode_account(*directory));
        account.numbers.quota = known.quota;
        account.numbers.domain = TRY(domain(domain_of(known.name)));
    } else if (was_there) {
        leave_domain(account);
    }
    return {};
}

Result<StampedAccount*> AccountStates::account_or_remains(AccountId id) {
    auto entry = accounts_.find(id);
    if (entry == accounts_.end()) {
        auto loaded = std::make_unique<StampedAccount>();
        loaded->id = id;
        const std::optional<std::string> head =
            TRY(rows_->get(account_prefix(Family::AccountHead, id)));
        if (head) {
            loaded->numbers.head = TRY(decode_head(*head));
        }
        TRY(load_numbers(*loaded));
        // Its numbers would begin again and be given twice. Only what the open group makes has
        // none.
        if (!head && loaded->numbers.is_there && TRY(rows_->had_any(account_row_key(id)))) {
            return temporary_error(ErrorCode::Corrupt,
                                   "account " + std::to_string(id.value()) + " has no head row");
        }
        entry = accounts_.emplace(id, std::move(loaded)).first;
        loaded_.push_back(id);
    }
    StampedAccount& account = *entry->second;
    account.used_in = plan_;
    save(account);
    if (account.numbers.domain != nullptr) {
        save(*account.numbers.domain);
    }
    return &account;
}

Result<StampedAccount*> AccountStates::account(AccountId id) {
    StampedAccount* account = TRY(account_or_remains(id));
    if (!account->numbers.is_there) {
        return temporary_error(ErrorCode::NotFound, "no account " + std::to_string(id.value()));
    }
    return account;
}

void AccountStates::save(StampedAccount& account) {
    if (account.saved_in == plan_) {
        return;
    }
    account.saved_in = plan_;
    numbers_undo_.push_back({.account = &account, .before = account.numbers});
    moved_.push_back(&account);
}

Result<StampedMailbox> AccountStates::load_mailbox(const StampedAccount& account,
                                                   MailboxId id) const {
    StampedMailbox mailbox;
    const std::optional<std::string> fixed =
        TRY(rows_->get(mailbox_key(Family::Mailbox, account.id, id)));
    if (!fixed) {
        return mailbox;
    }
    mailbox.is_there = true;
    mailbox.fixed = TRY(decode_fixed(*fixed));
    const std::optional<std::string> counters =
        TRY(rows_->get(mailbox_key(Family::Counters, account.id, id)));
    if (!counters) {
        return internal_error(ErrorCode::Corrupt, "mailbox without its counters row");
    }
    mailbox.counters = TRY(decode_counters(*counters));
    return mailbox;
}

Result<StampedMailbox*> AccountStates::mailbox(StampedAccount& account, MailboxId id) {
    auto entry = account.mailboxes.find(id);
    if (entry == account.mailboxes.end()) {
        entry = account.mailboxes.emplace(id, TRY(load_mailbox(account, id))).first;
        mailbox_undo_.push_back({.account = &account, .mailbox = id, .before = std::nullopt});
        ++mailboxes_loaded_;
    } else if (entry->second.saved_in != plan_) {
        mailbox_undo_.push_back({.account = &account, .mailbox = id, .before = entry->second});
    }
    entry->second.saved_in = plan_;
    if (!entry->second.is_there) {
        return temporary_error(ErrorCode::NotFound, "no mailbox " + std::to_string(id.value()));
    }
    return &entry->second;
}

Result<StampedMailbox*> AccountStates::selectable(StampedAccount& account, MailboxId id) {
    StampedMailbox* found = TRY(mailbox(account, id));
    if (!found->fixed.is_selectable) {
        return temporary_error(ErrorCode::NotFound, "mailbox is a name only (\\Noselect)");
    }
    return found;
}

StampedMailbox& AccountStates::add_mailbox(StampedAccount& account, MailboxId id,
                                           MailboxFixed fixed) {
    mailbox_undo_.push_back({.account = &account, .mailbox = id, .before = std::nullopt});
    StampedMailbox mailbox;
    mailbox.fixed = std::move(fixed);
    mailbox.is_there = true;
    mailbox.counters_moved = true;
    mailbox.saved_in = plan_;
    return account.mailboxes.insert_or_assign(id, std::move(mailbox)).first->second;
}

void AccountStates::remove_mailbox(StampedAccount& account, MailboxId id) {
    // The caller got it from mailbox(), which saved it.
    StampedMailbox& mailbox = account.mailboxes.at(id);
    mailbox.is_there = false;
    mailbox.counters_moved = false;
}

ModSeq AccountStates::draw_mod_seq(StampedAccount& account) {
    account.numbers.head_moved = true;
    return ModSeq(++account.numbers.head.mod_seq);
}

ModSeq AccountStates::draw_mod_seq(StampedAccount& account, StampedMailbox& mailbox) {
    const ModSeq drawn = draw_mod_seq(account);
    mailbox.counters.highest_mod_seq = drawn;
    mailbox.counters_moved = true;
    return drawn;
}

Result<UidValidity> AccountStates::draw_uid_validity(StampedAccount& account, WallTime now) {
    AccountHead& head = account.numbers.head;
    if (head.last_uid_validity == UINT32_MAX) {
        return spent("UIDVALIDITY");
    }
    const auto seconds = static_cast<std::uint64_t>(
        std::clamp<std::int64_t>(unix_seconds(now), 1, std::int64_t{UINT32_MAX}));
    head.last_uid_validity =
        std::max(head.last_uid_validity + 1, static_cast<std::uint32_t>(seconds));
    account.numbers.head_moved = true;
    return UidValidity(head.last_uid_validity);
}

Result<Uid> AccountStates::draw_uid(StampedMailbox& mailbox) {
    const Uid uid = mailbox.counters.uid_next;
    // UIDNEXT must stay a number of 32 bits too (RFC 9051 2.3.1.1).
    if (uid.value() == UINT32_MAX) {
        return spent("UID");
    }
    mailbox.counters.uid_next = Uid(uid.value() + 1);
    mailbox.counters_moved = true;
    return uid;
}

Result<EmailId> AccountStates::draw_email(StampedAccount& account) {
    AccountHead& head = account.numbers.head;
    if (head.next_email == UINT32_MAX) {
        return spent("email id");
    }
    account.numbers.head_moved = true;
    return EmailId(head.next_email++);
}

Result<> AccountStates::load_keywords(StampedAccount& account) {
    if (account.keywords) {
        return {};
    }
    const std::optional<std::string> row =
        TRY(rows_->get(account_prefix(Family::Keywords, account.id)));
    account.keywords = row ? TRY(decode_keywords(*row)) : std::vector<std::string>{};
    return {};
}

Result<std::optional<std::uint8_t>> AccountStates::find_keyword(StampedAccount& account,
                                                                std::string_view name) {
    TRY(load_keywords(account));
    const auto found = std::ranges::find_if(*account.keywords, [name](const std::string& known) {
        return equals_ignore_case(known, name);
    });
    if (found == account.keywords->end()) {
        return std::nullopt;
    }
    return static_cast<std::uint8_t>(found - account.keywords->begin());
}

Result<std::uint8_t> AccountStates::add_keyword(StampedAccount& account, std::string_view name) {
    if (const std::optional<std::uint8_t> known = TRY(find_keyword(account, name))) {
        return *known;
    }
    std::vector<std::string>& keywords = *account.keywords;
    if (keywords.size() >= limits::keywords_max || name.empty() ||
        name.size() > limits::keyword_size_max) {
        return peer_error(ErrorCode::LimitExceeded,
                          "an account has at most " + std::to_string(limits::keywords_max) +
                              " keywords of at most " + std::to_string(limits::keyword_size_max) +
                              " octets (limits.h: keywords_max, keyword_size_max)");
    }
    keywords_undo_.push_back({.account = &account, .count = keywords.size()});
    keywords.emplace_back(name);
    rows_->put(account_prefix(Family::Keywords, account.id), encode_keywords(keywords));
    return static_cast<std::uint8_t>(keywords.size() - 1);
}

Result<> AccountStates::refresh(AccountId id) {
    StampedAccount* account = TRY(account_or_remains(id));
    return load_numbers(*account);
}

void AccountStates::forget(StampedAccount& account) {
    for (auto& [id, mailbox] : account.mailboxes) {
        mailbox_undo_.push_back({.account = &account, .mailbox = id, .before = mailbox});
        mailbox.is_there = false;
        mailbox.counters_moved = false;
    }
    account.numbers.head = AccountHead{};
    account.numbers.head_moved = false;
    if (account.keywords) {
        // Loaded again from the rows when asked for, whether the plan stays or is taken back.
        account.keywords.reset();
    }
}

void AccountStates::finish() {
    std::ranges::sort(moved_);
    moved_.erase(std::ranges::unique(moved_).begin(), moved_.end());
    for (StampedAccount* account : moved_) {
        if (account->numbers.head_moved) {
            rows_->put(account_prefix(Family::AccountHead, account->id),
                       encode(account->numbers.head));
            account->numbers.head_moved = false;
        }
        for (auto& [id, mailbox] : account->mailboxes) {
            if (mailbox.counters_moved) {
                rows_->put(mailbox_key(Family::Counters, account->id, id),
                           encode(mailbox.counters));
                mailbox.counters_moved = false;
            }
        }
    }
    moved_.clear();
    finish_domains();
}

void AccountStates::trim() {
    // A mailbox costs about what a head does; few accounts have more than sixteen.
    if (accounts_.size() <= limits::stamper_accounts_max &&
        mailboxes_loaded_ <= 16 * limits::stamper_accounts_max) {
        return;
    }
    mailboxes_loaded_ = 0;
    // Half of them at once, so that this runs seldom.
    std::vector<std::uint64_t> uses;
    uses.reserve(accounts_.size());
    for (const auto& entry : accounts_) {
        uses.push_back(entry.second->used_in);
    }
    const auto middle = uses.begin() + static_cast<std::ptrdiff_t>(uses.size() / 2);
    std::ranges::nth_element(uses, middle);
    std::erase_if(accounts_, [&](const auto& entry) { return entry.second->used_in <= *middle; });
    trim_domains();
}

void AccountStates::clear() {
    accounts_.clear();
    moved_.clear();
    domains_.clear();
    moved_domains_.clear();
    counted_.reset();
    begin_plan();
}

}  // namespace godwit::store
