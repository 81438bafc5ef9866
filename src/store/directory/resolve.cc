// Where an address leads, and who may write as it: aliases, groups, forwarding, domain aliases,
// subaddresses, catch-alls. RFC 5321 3.9, 4.5.1; RFC 5233; SMTP-BEHAVIOUR.md G2, G3, G11, K4.
#include <algorithm>
#include <array>
#include <deque>
#include <set>

#include "base/ascii.h"
#include "base/limits.h"
#include "store/directory/directory.h"
#include "store/directory/schema.h"
#include "store/kv/key.h"
#include "store/kv/record.h"

namespace godwit::store {

namespace {
/// What an address leads to beside those who have it.
enum class Further : std::uint8_t {
    Follow,  ///< Catch-alls, sinks, forwarding: where mail goes.
    Leave,   ///< Whose address it is.
};

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

/// A local part split into user and detail (RFC 5233 4: the detail is what follows the separator).
struct Split {
    std::string user;
    std::string detail;
};
/// All ways to split, the longest user first: of "mary-ann-x" with "-" first mary-ann, then mary.
std::vector<Split> splits(std::string_view local, std::string_view delimiters) {
    std::vector<Split> found;
    for (std::size_t at = local.find_first_of(delimiters, 1);
         at != std::string_view::npos && found.size() < subaddress_cuts_max;
         at = local.find_first_of(delimiters, at + 1)) {
        found.push_back({.user = std::string(local.substr(0, at)),
                         .detail = std::string(local.substr(at + 1))});
    }
    std::ranges::reverse(found);
    return found;
}

/// Follows one address through aliases to accounts and remote addresses. Breadth first, each
/// address once, bounded in depth and in width (G3).
class Expansion {
public:
    Expansion(const Snapshot& snapshot, ReadTier tier, std::string_view default_domain,
              Further further)
        : snapshot_(snapshot), tier_(tier), default_domain_(default_domain), further_(further) {}

    Result<Recipient> run(mail::Address address) {
        if (address.domain.empty()) {
            address.domain = default_domain_;
        }
        const auto domain = TRY(answering_domain(snapshot_, tier_, address.domain));
        if (!domain) {
            return Recipient{.verdict = RecipientVerdict::NotLocal, .targets = {}};
        }
        add({.address = std::move(address)});
        while (!waiting_.empty() && !is_too_large_) {
            const Step step = std::move(waiting_.front());
            waiting_.pop_front();
            TRY(follow(step));
        }
        Recipient recipient = verdict();
        recipient.archive = domain->archive_inbound;
        return recipient;
    }

private:
    struct Step {
        mail::Address address;
        std::size_t depth = 0;
        // What the way here means for mail that leaves.
        std::optional<mail::Address> owner{};
        std::optional<mail::Address> forwarder{};
        bool has_kept_copy = false;
    };

    void add(Step step) {
        if (step.depth > limits::alias_depth_max || seen_.size() >= limits::alias_expansion_max) {
            is_too_large_ = true;
            return;
        }
        if (!seen_.insert(mail::account_key(step.address)).second) {
            met_again_ = true;
            return;
        }
        waiting_.push_back(std::move(step));
    }

    /// The next step of the same way.
    void add_next(const Step& step, const std::string& target) {
        if (Result<mail::Address> parsed = mail::parse_address(target)) {
            Step next = step;
            next.address = *std::move(parsed);
            ++next.depth;
            add(std::move(next));
        }
    }

    Result<> follow(Step step) {
        const auto domain = TRY(answering_domain(snapshot_, tier_, step.address.domain));
        if (!domain) {
            take_remote(step);
            return {};
        }
        if (domain->name != step.address.domain) {
            step.address.domain = domain->name;
            if (!seen_.insert(mail::account_key(step.address)).second) {
                met_again_ = true;
                return {};
            }
        }
        if (TRY(match(step, step.address, {}))) {
            return {};
        }
        // A role keeps its name whatever the delimiters: mailer-daemon is nobody's "daemon".
        const std::string_view delimiters = domain->subaddress_delimiter;
        if (!delimiters.empty() && !is_role(step.address.local)) {
            for (const Split& split : splits(step.address.local, delimiters)) {
                const mail::Address user{.local = split.user, .domain = step.address.domain};
                if (TRY(match(step, user, split.detail))) {
                    return {};
                }
            }
        }
        if (further_ == Further::Follow) {
            TRY(fall_back(step, *domain));
        }
        return {};
    }

    void take_remote(const Step& step) {
        targets_.emplace_back(RemoteTarget{.address = step.address,
                                           .is_forwarded = true,
                                           .owner = step.owner,
                                           .forwarder = step.forwarder,
                                           .has_kept_copy = step.has_kept_copy});
    }

    /// True when an account or an alias has the address.
    Result<bool> match(const Step& step, const mail::Address& address, const std::string& detail) {
        const std::string key = mail::account_key(address);
        if (const auto account = TRY(find_account_by_key(snapshot_, tier_, key))) {
            take_account(step, *account, address, detail);
            return true;
        }
        const std::optional<Alias> alias = TRY(find_alias(snapshot_, tier_, key));
        if (!alias) {
            return false;
        }
        Step next = step;
        if (auto owner = mail::parse_address(alias->owner)) {
            // RFC 5321 3.9.2: reports go to who looks after the list; the innermost one's owner.
            next.owner = *std::move(owner);
        }
        for (const std::string& target : alias->targets) {
            add_next(next, target);
        }
        return true;
    }

    Result<> fall_back(const Step& step, const Domain& domain) {
        if (!domain.catch_all.empty()) {
            const Result<mail::Address> parsed = mail::parse_address(domain.catch_all);
            if (parsed && !seen_.contains(mail::account_key(*parsed))) {
                add_next(step, domain.catch_all);
                return {};
            }
        }
        // RFC 5321 4.5.1: postmaster must be taken. RFC 2142 section 2 asks the same for abuse.
        if (is_role(step.address.local)) {
            const std::optional<Account> account =
                TRY(oldest_account(snapshot_, tier_, default_domain_));
            if (account) {
                take_account(step, *account, step.address, {});
            }
        }
        return {};
    }

    void take_account(const Step& step, const Account& account, const mail::Address& address,
                      const std::string& detail) {
        if (account.is_disabled) {
            met_disabled_ = true;
            return;
        }
        if (!step.forwarder) {
            owned_since_.push_back(account.created_at);
        }
        const bool is_followed = further_ == Further::Follow && !account.forward_to.empty();
        if (!is_followed || account.forward_keeps) {
            take_local(account, address, detail);
        }
        if (is_followed) {
            Step next = step;
            next.forwarder = address;
            next.has_kept_copy = step.has_kept_copy || account.forward_keeps;
            for (const std::string& target : account.forward_to) {
                add_next(next, target);
            }
        }
    }

    void take_local(const Account& account, const mail::Address& address,
                    const std::string& detail) {
        const bool is_there = std::ranges::any_of(targets_, [&account](const Target& target) {
            const auto* local = std::get_if<LocalTarget>(&target);
            return local != nullptr && local->account == account.id;
        });
        if (!is_there) {
            targets_.emplace_back(LocalTarget{.account = account.id,
                                              .account_name = account.name,
                                              .detail = detail,
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
            recipient.owned_since = std::move(owned_since_);
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
    Further further_;
    std::deque<Step> waiting_;
    std::set<std::string> seen_;
    std::vector<Target> targets_;
    std::vector<std::int64_t> owned_since_;
    bool is_too_large_ = false;
    bool met_again_ = false;
    bool met_disabled_ = false;
};

Result<bool> is_granted(const Snapshot& snapshot, ReadTier tier, AccountId id,
                        const mail::Address& written) {
    const std::optional<Account> account = TRY(read_account(snapshot, tier, id));
    if (!account || account->send_as.empty()) {
        return false;
    }
    mail::Address address = written;
    std::set<std::string> names;
    if (const auto domain = TRY(answering_domain(snapshot, tier, written.domain))) {
        address.domain = domain->name;
        if (!domain->subaddress_delimiter.empty()) {
            for (Split& split : splits(address.local, domain->subaddress_delimiter)) {
                names.insert(
                    mail::account_key({.local = std::move(split.user), .domain = address.domain}));
            }
        }
    }
    for (const mail::Address& each : {written, address}) {
        names.insert(mail::account_key(each));
        names.insert("@" + each.domain);
    }
    return std::ranges::any_of(account->send_as, [&names](const std::string& granted) {
        const auto parsed = mail::parse_address(granted);
        return names.contains(parsed ? mail::account_key(*parsed) : granted);
    });
}
}  // namespace

bool is_role(std::string_view local) {
    constexpr std::array<std::string_view, 3> kRoles = {"postmaster", "abuse", "mailer-daemon"};
    return std::ranges::any_of(
        kRoles, [local](std::string_view role) { return equals_ignore_case(role, local); });
}

Result<Recipient> resolve_recipient(const Snapshot& snapshot, ReadTier tier,
                                    const mail::Address& address, std::string_view default_domain) {
    return Expansion(snapshot, tier, default_domain, Further::Follow).run(address);
}

Result<bool> may_send_as(const Snapshot& snapshot, ReadTier tier, AccountId account,
                         const mail::Address& address) {
    const Recipient recipient =
        TRY(Expansion(snapshot, tier, address.domain, Further::Leave).run(address));
    const bool is_own = std::ranges::any_of(recipient.targets, [account](const Target& target) {
        const auto* local = std::get_if<LocalTarget>(&target);
        return local != nullptr && local->account == account;
    });
    if (is_own) {
        return true;
    }
    return is_granted(snapshot, tier, account, address);
}

}  // namespace godwit::store
