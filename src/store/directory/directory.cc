#include "store/directory/directory.h"

#include <algorithm>
#include <deque>
#include <set>

#include "base/limits.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"
#include "store/mailbox/schema.h"

namespace godwit::store {

namespace {
/// What a recipient that nobody has may still lead to.
enum class Fallbacks : std::uint8_t { Take, Leave };

Result<std::optional<Alias>> find_alias(const Snapshot& snapshot, ReadTier tier,
                                        std::string_view key) {
    const std::optional<std::string> row = TRY(snapshot.get(alias_row_key(key), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_alias(*row));
}

Result<std::optional<Account>> find_by_key(const Snapshot& snapshot, ReadTier tier,
                                           std::string_view key) {
    const std::optional<std::string> row = TRY(snapshot.get(login_row_key(key), tier));
    if (!row) {
        return std::nullopt;
    }
    const std::uint64_t id = TRY(decode_number(*row, "login"));
    return read_account(snapshot, tier, AccountId(static_cast<std::uint32_t>(id)));
}

/// The oldest account that can read mail, one of `domain` before any other.
Result<std::optional<Account>> oldest_account(const Snapshot& snapshot, ReadTier tier,
                                              std::string_view domain) {
    std::optional<Account> oldest;
    const std::string prefix = account_rows_prefix();
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    std::size_t seen = 0;
    for (cursor->seek(prefix); cursor->is_valid() && seen < limits::scan_rows_max;
         cursor->next(), ++seen) {
        std::optional<Account> account =
            TRY(if_sound(cursor->key(), decode_account(cursor->value())));
        if (!account || account->is_disabled) {
            continue;
        }
        if (account->name.ends_with('@' + std::string(domain))) {
            return account;
        }
        if (!oldest) {
            oldest = std::move(account);
        }
    }
    TRY(cursor->status());
    return oldest;
}

/// Follows one address through aliases to accounts and remote addresses. Breadth first, each
/// address once, bounded in depth and in width.
class Expansion {
public:
    Expansion(const Snapshot& snapshot, ReadTier tier, std::string_view default_domain,
              Fallbacks fallbacks)
        : snapshot_(snapshot),
          tier_(tier),
          default_domain_(default_domain),
          fallbacks_(fallbacks) {}

    Result<Recipient> run(mail::Address address) {
        if (address.domain.empty()) {
            address.domain = default_domain_;
        }
        const std::optional<Domain> domain = TRY(find_domain(snapshot_, tier_, address.domain));
        if (!domain) {
            return Recipient{.verdict = RecipientVerdict::NotLocal, .targets = {}};
        }
        add(std::move(address), 0);
        while (!waiting_.empty() && !is_too_large_) {
            const Step step = std::move(waiting_.front());
            waiting_.pop_front();
            TRY(follow(step));
        }
        return verdict();
    }

private:
    struct Step {
        mail::Address address;
        std::size_t depth = 0;
    };

    void add(mail::Address address, std::size_t depth) {
        if (depth > limits::alias_depth_max || seen_.size() >= limits::alias_expansion_max) {
            is_too_large_ = true;
            return;
        }
        if (!seen_.insert(mail::account_key(address)).second) {
            met_again_ = true;
            return;
        }
        waiting_.push_back({.address = std::move(address), .depth = depth});
    }

    Result<> follow(const Step& step) {
        const std::optional<Domain> domain =
            TRY(find_domain(snapshot_, tier_, step.address.domain));
        if (!domain) {
            targets_.emplace_back(RemoteTarget{.address = step.address});
            return {};
        }
        if (TRY(match(step, step.address, {}))) {
            return {};
        }
        const std::size_t cut = domain->subaddress_delimiter.empty()
                                    ? std::string::npos
                                    : step.address.local.find(domain->subaddress_delimiter);
        if (cut != std::string::npos && cut > 0) {
            const mail::Address user{.local = step.address.local.substr(0, cut),
                                     .domain = step.address.domain};
            // RFC 5233 section 4: the detail is what follows the separator.
            const std::string detail =
                step.address.local.substr(cut + domain->subaddress_delimiter.size());
            if (TRY(match(step, user, detail))) {
                return {};
            }
        }
        if (fallbacks_ == Fallbacks::Take) {
            TRY(fall_back(step, *domain));
        }
        return {};
    }

    /// True when an account or an alias has the address.
    Result<bool> match(const Step& step, const mail::Address& address, const std::string& detail) {
        const std::string key = mail::account_key(address);
        if (const std::optional<Account> account = TRY(find_by_key(snapshot_, tier_, key))) {
            take_account(*account, address, detail);
            return true;
        }
        const std::optional<Alias> alias = TRY(find_alias(snapshot_, tier_, key));
        if (!alias) {
            return false;
        }
        for (const std::string& target : alias->targets) {
            if (Result<mail::Address> parsed = mail::parse_address(target)) {
                add(*std::move(parsed), step.depth + 1);
            }
        }
        return true;
    }

    Result<> fall_back(const Step& step, const Domain& domain) {
        if (!domain.catch_all.empty()) {
            if (Result<mail::Address> parsed = mail::parse_address(domain.catch_all)) {
                if (!seen_.contains(mail::account_key(*parsed))) {
                    add(*std::move(parsed), step.depth + 1);
                    return {};
                }
            }
        }
        // RFC 5321 4.5.1: postmaster must be taken. RFC 2142 section 2 asks the same for abuse.
        const std::string local = mail::local_key(step.address.local);
        if (local == "postmaster" || local == "abuse") {
            const std::optional<Account> account =
                TRY(oldest_account(snapshot_, tier_, default_domain_));
            if (account) {
                take_account(*account, step.address, {});
            }
        }
        return {};
    }

    void take_account(const Account& account, const mail::Address& address,
                      const std::string& detail) {
        if (account.is_disabled) {
            met_disabled_ = true;
            return;
        }
        const bool is_there = std::ranges::any_of(targets_, [&account](const Target& target) {
            const auto* local = std::get_if<LocalTarget>(&target);
            return local != nullptr && local->account == account.id;
        });
        if (!is_there) {
            targets_.emplace_back(LocalTarget{.account = account.id,
                                              .account_name = account.name,
                                              .detail = detail,
                                              .quota_bytes = account.quota_bytes,
                                              .address = address});
        }
    }

    Recipient verdict() {
        Recipient recipient;
        if (is_too_large_) {
            recipient.verdict = RecipientVerdict::Loop;
        } else if (!targets_.empty()) {
            recipient.verdict = RecipientVerdict::Local;
            recipient.targets = std::move(targets_);
        } else if (met_disabled_) {
            recipient.verdict = RecipientVerdict::Disabled;
        } else {
            recipient.verdict = met_again_ ? RecipientVerdict::Loop : RecipientVerdict::NoSuchUser;
        }
        return recipient;
    }

    const Snapshot& snapshot_;
    ReadTier tier_;
    std::string default_domain_;
    Fallbacks fallbacks_;
    std::deque<Step> waiting_;
    std::set<std::string> seen_;
    std::vector<Target> targets_;
    bool is_too_large_ = false;
    bool met_again_ = false;
    bool met_disabled_ = false;
};

/// All rows of a directory kind, decoded.
template <class T>
Result<std::vector<T>> list_rows(const Snapshot& snapshot, ReadTier tier, const std::string& prefix,
                                 Result<T> (*decode)(std::string_view)) {
    std::vector<T> rows;
    const std::string upper = prefix_end(prefix);
    const std::unique_ptr<Cursor> cursor = snapshot.cursor(tier, upper);
    for (cursor->seek(prefix); cursor->is_valid(); cursor->next()) {
        // One damaged row must not hide the others.
        if (auto row = TRY(if_sound(cursor->key(), decode(cursor->value())))) {
            rows.push_back(*std::move(row));
        }
    }
    TRY(cursor->status());
    return rows;
}
}  // namespace

Result<Recipient> resolve_recipient(const Snapshot& snapshot, ReadTier tier,
                                    const mail::Address& address, std::string_view default_domain) {
    return Expansion(snapshot, tier, default_domain, Fallbacks::Take).run(address);
}

Result<std::optional<Domain>> find_domain(const Snapshot& snapshot, ReadTier tier,
                                          std::string_view name) {
    const std::optional<std::string> row = TRY(snapshot.get(domain_row_key(name), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_domain(*row));
}

Result<std::vector<Domain>> list_domains(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Domain>(snapshot, tier, domain_rows_prefix(), decode_domain);
}
Result<std::vector<Account>> list_accounts(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Account>(snapshot, tier, account_rows_prefix(), decode_account);
}
Result<std::vector<Alias>> list_aliases(const Snapshot& snapshot, ReadTier tier) {
    return list_rows<Alias>(snapshot, tier, alias_rows_prefix(), decode_alias);
}

Result<std::optional<Account>> find_account(const Snapshot& snapshot, ReadTier tier,
                                            std::string_view login,
                                            std::string_view default_domain) {
    const Result<mail::Address> address = login.find('@') != std::string_view::npos
                                              ? mail::parse_address(login)
                                              : mail::make_address(login, default_domain);
    if (!address) {
        return std::nullopt;
    }
    return find_by_key(snapshot, tier, mail::account_key(*address));
}

Result<std::optional<Account>> read_account(const Snapshot& snapshot, ReadTier tier, AccountId id) {
    const std::optional<std::string> row = TRY(snapshot.get(account_row_key(id), tier));
    if (!row) {
        return std::nullopt;
    }
    return TRY(decode_account(*row));
}

Result<bool> owns_address(const Snapshot& snapshot, ReadTier tier, AccountId account,
                          const mail::Address& address) {
    // A catch-all takes mail for everybody; it must not let one write as everybody.
    const Recipient recipient =
        TRY(Expansion(snapshot, tier, address.domain, Fallbacks::Leave).run(address));
    return std::ranges::any_of(recipient.targets, [account](const Target& target) {
        const auto* local = std::get_if<LocalTarget>(&target);
        return local != nullptr && local->account == account;
    });
}

}  // namespace godwit::store
