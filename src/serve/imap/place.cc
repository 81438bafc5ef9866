#include "serve/imap/place.h"

#include <algorithm>

#include "flow/read.h"
#include "mail/text/charset.h"
#include "serve/imap/namespaces.h"
#include "store/directory/directory.h"
#include "store/mailbox/schema.h"

namespace godwit::serve::imap_desk {

namespace {

using store::ReadTier;
using store::Right;
using store::Snapshot;

constexpr store::Rights kAnyRight = Right::Lookup | Right::Read | Right::Insert |
                                    Right::CreateBelow | Right::DeleteMailbox | Right::Administer;

// Who asks.
struct Asker {
    AccountId account;
    std::string name;
    std::string default_domain;
};
Asker asker(const Conversation& c) {
    return {.account = c.account(),
            .name = c.login().name,
            .default_domain = c.services()->settings()->default_domain};
}

// The account whose mailboxes the asker's domain shares; 0 for none, and for himself.
Result<AccountId> sharing_account(const Snapshot& snapshot, ReadTier tier, const Asker& who) {
    const auto domain = TRY(store::find_domain(snapshot, tier, store::domain_of(who.name)));
    if (!domain || domain->shared_mailboxes.empty()) {
        return AccountId(0);
    }
    const auto account =
        TRY(store::find_account(snapshot, tier, domain->shared_mailboxes, who.default_domain));
    return account && account->id != who.account ? account->id : AccountId(0);
}

// The account that a name of somebody else's mailbox names; 0 for none. Each mailbox has one name:
// what is shared is not found under its account's.
Result<AccountId> owner_of(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                           const NameParts& parts) {
    const AccountId sharing = TRY(sharing_account(snapshot, tier, who));
    if (parts.whose == Whose::Shared) {
        return sharing;
    }
    const auto account = TRY(store::find_account(snapshot, tier, parts.owner, who.default_domain));
    const bool is_other = account && account->name == parts.owner && account->id != who.account &&
                          account->id != sharing;
    return is_other ? account->id : AccountId(0);
}

std::string shown_name(const NameParts& parts, std::string_view path) {
    return parts.whose == Whose::Shared ? shared_name(path) : other_user_name(parts.owner, path);
}

Result<std::optional<Place>> find_own(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                                      const std::string& name) {
    auto state = TRY(store::find_mailbox(snapshot, tier, who.account, name));
    if (!state) {
        return std::nullopt;
    }
    std::string path = state->name;
    return Place{.account = who.account,
                 .rights = store::Rights::all(),
                 .state = *std::move(state),
                 .path = std::move(path)};
}

Result<std::optional<Place>> find_foreign(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                                          const NameParts& parts) {
    const AccountId owner = TRY(owner_of(snapshot, tier, who, parts));
    const Result<std::string> path = store::mailbox_name(parts.path);
    if (owner.value() == 0 || !path) {
        return std::nullopt;
    }
    auto state = TRY(store::find_mailbox(snapshot, tier, owner, *path));
    if (!state) {
        return std::nullopt;
    }
    const store::Rights rights =
        TRY(store::read_rights(snapshot, tier, owner, state->id, who.account));
    if (!rights.has_any(kAnyRight)) {
        return std::nullopt;
    }
    state->name = shown_name(parts, *path);
    state->special_use.clear();
    return Place{.account = owner, .rights = rights, .state = *std::move(state), .path = *path};
}

Result<std::optional<Place>> find(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                                  const std::string& name) {
    const NameParts parts = split_name(name);
    // One's own of such a name, which nothing here makes, would be out of reach otherwise.
    auto own = TRY(find_own(snapshot, tier, who, name));
    if (own || parts.whose == Whose::Own) {
        return own;
    }
    return find_foreign(snapshot, tier, who, parts);
}

// The nearest mailbox above that is there. nullopt: none, or nothing the client may know of.
Result<std::optional<Place>> find_above(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                                        const NameParts& parts) {
    NameParts above = parts;
    const AccountId owner = TRY(owner_of(snapshot, tier, who, parts));
    if (owner.value() == 0) {
        return std::nullopt;
    }
    while (const auto parent = store::parent_name(above.path)) {
        above.path = *parent;
        const Result<std::string> path = store::mailbox_name(above.path);
        // One that is there ends the search, also when it is not the client's to know of.
        if (path && TRY(store::find_mailbox(snapshot, tier, owner, *path))) {
            return find_foreign(snapshot, tier, who, above);
        }
    }
    return std::nullopt;
}

Answer not_permitted() {
    return no(imap::code::kNoPerm, "You may not do that there");
}

}  // namespace

Place own_place(const Conversation& c, store::MailboxState state) {
    std::string path = state.name;
    return {.account = c.account(),
            .rights = store::Rights::all(),
            .state = std::move(state),
            .path = std::move(path)};
}

net::Task<Result<std::optional<Place>>> find_place(Conversation* c, std::string name) {
    co_return co_await flow::read(c->services(), [who = asker(*c), normal = mail::to_nfc(name)](
                                                     const Snapshot& snapshot, ReadTier tier) {
        return find(snapshot, tier, who, normal);
    });
}

net::Task<Sought<Place>> seek_place(Conversation* c, std::string name, Right right, Wanted wanted,
                                    std::string doing) {
    Result<std::optional<Place>> found = co_await find_place(c, std::move(name));
    if (!found) {
        co_return std::unexpected(refusal(found.error(), doing));
    }
    if (!*found || !(*found)->may(right)) {
        co_return std::unexpected(refuse_place(*found ? (*found)->rights : store::Rights()));
    }
    if (wanted == Wanted::Messages && !(*found)->state.is_selectable) {
        co_return std::unexpected(refuse_place({}));
    }
    co_return **std::move(found);
}

net::Task<Result<store::Rights>> rights_now(Conversation* c, AccountId owner, MailboxId mailbox) {
    co_return co_await flow::read(c->services(), [owner, mailbox, user = c->account()](
                                                     const Snapshot& snapshot, ReadTier tier) {
        return store::read_rights(snapshot, tier, owner, mailbox, user);
    });
}

Answer refuse_place(store::Rights rights) {
    return rights.has(Right::Lookup) ? not_permitted()
                                     : no(imap::code::kNonExistent, "No such mailbox");
}

net::Task<Sought<NewPlace>> seek_new_place(Conversation* c, std::string name, std::string doing) {
    std::string normal = mail::to_nfc(name);
    const NameParts parts = split_name(normal);
    if (parts.whose == Whose::Own) {
        co_return NewPlace{.account = c->account(), .path = normal, .name = normal};
    }
    const Result<std::string> path = store::mailbox_name(parts.path);
    if (!path) {
        co_return std::unexpected(not_permitted());
    }
    // Views do not outlive `normal`, which a step on the pool might.
    const Result<std::optional<Place>> above = co_await flow::read(
        c->services(), [who = asker(*c), normal](const Snapshot& snapshot, ReadTier tier) {
            return find_above(snapshot, tier, who, split_name(normal));
        });
    if (!above) {
        co_return std::unexpected(refusal(above.error(), doing));
    }
    if (!*above || !(*above)->may(Right::CreateBelow)) {
        co_return std::unexpected(not_permitted());
    }
    co_return NewPlace{
        .account = (*above)->account, .path = *path, .name = shown_name(parts, *path)};
}

namespace {

// What a grant comes to; nullopt: nothing that the client may look up.
Result<std::optional<Place>> look_up(const Snapshot& snapshot, ReadTier tier, const Asker& who,
                                     const store::Grant& grant, AccountId sharing) {
    const store::Rights rights =
        TRY(store::read_rights(snapshot, tier, grant.owner, grant.mailbox, who.account));
    if (!rights.has(Right::Lookup)) {
        return std::nullopt;
    }
    auto state = TRY(store::read_mailbox(snapshot, tier, grant.owner, grant.mailbox));
    const auto owner = TRY(store::read_account(snapshot, tier, grant.owner));
    if (!state || !owner) {
        return std::nullopt;
    }
    std::string path = state->name;
    state->name = grant.owner == sharing ? shared_name(path) : other_user_name(owner->name, path);
    state->special_use.clear();
    return Place{.account = grant.owner,
                 .rights = rights,
                 .state = *std::move(state),
                 .path = std::move(path)};
}

}  // namespace

net::Task<Result<std::vector<Place>>> list_places_of_others(Conversation* c) {
    co_return co_await flow::read(
        c->services(),
        [who = asker(*c)](const Snapshot& snapshot, ReadTier tier) -> Result<std::vector<Place>> {
            std::vector<Place> places;
            const std::vector<store::Grant> grants =
                TRY(store::list_grants(snapshot, tier, who.account));
            if (grants.empty()) {
                return places;
            }
            const AccountId sharing = TRY(sharing_account(snapshot, tier, who));
            for (const store::Grant& grant : grants) {
                if (auto place = TRY(look_up(snapshot, tier, who, grant, sharing))) {
                    places.push_back(*std::move(place));
                }
            }
            std::ranges::sort(places, {}, [](const Place& place) { return place.state.name; });
            return places;
        });
}

Answer try_create(Answer refused) {
    if (refused.code == imap::code::kNonExistent) {
        refused.code = imap::code::kTryCreate;
    }
    return refused;
}

store::FlagMask flag_mask(store::Rights rights) {
    return {.seen = rights.has(Right::Seen),
            .deleted = rights.has(Right::DeleteMessages),
            .others = rights.has(Right::Write)};
}

}  // namespace godwit::serve::imap_desk
