// The part of fsck that looks at access control lists: the lists, what leads to them, and what
// visitors have seen (mailbox/access.h).
#include <set>

#include "base/bytes.h"
#include "store/directory/schema.h"
#include "store/fsck_walk.h"
#include "store/mailbox/access.h"
#include "store/mailbox/schema.h"

namespace godwit::store {
namespace {

constexpr char letter(Family family) {
    return static_cast<char>(family);
}

struct Place {
    AccountId account;
    MailboxId mailbox;
};
Place place_of(std::string_view key) {
    ByteReader in(key.substr(1));
    const AccountId account(in.u32());
    return {.account = account, .mailbox = MailboxId(in.u32())};
}

/// Whether it is there, or is being removed: then rows of it may still be.
Result<bool> is_there(const FsckWalk& walk, Place place) {
    for (const MailboxId mailbox : {place.mailbox, MailboxId(0)}) {
        if (TRY(walk.has(mailbox_key(Family::Remains, place.account, mailbox)))) {
            return true;
        }
    }
    return walk.has(mailbox_key(Family::Mailbox, place.account, place.mailbox));
}

Result<> check_lists(FsckWalk& walk) {
    FsckCount lists("every entry of an access list is of a mailbox and is found from its grantee");
    TRY(walk.each(
        letter(Family::Access), [&](std::string_view key, std::string_view value) -> Result<> {
            constexpr std::size_t kSize = 13;
            const Place place = place_of(key);
            const auto row = decode_access(value);
            const Grant grant{.owner = place.account, .mailbox = place.mailbox};
            lists.expect(
                key.size() == kSize && row && TRY(is_there(walk, place)) &&
                    TRY(walk.has(grant_key(AccountId(key_tail_u32(key)), row->domain, grant))),
                [&] { return key_text(key); });
            return {};
        }));
    walk.add(std::move(lists));
    return {};
}

Result<> check_grants(FsckWalk& walk) {
    FsckCount grants("everything that leads to an access list leads to an entry");
    TRY(walk.each(letter(Family::Grant), [&](std::string_view key, std::string_view) -> Result<> {
        grants.expect(TRY(is_grant_of(key, [&](const std::string& row) { return walk.has(row); })),
                      [&] { return key_text(key); });
        return {};
    }));
    walk.add(std::move(grants));
    return {};
}

Result<> check_seen(FsckWalk& walk) {
    FsckCount seen("what a visitor has seen is of a mailbox that he is known in");
    FsckCount counts("every visitor has seen as many messages as are counted for him");
    SeenTotals totals;
    TRY(walk.each(
        letter(Family::SeenBy), [&](std::string_view key, std::string_view value) -> Result<> {
            const Place place = place_of(key);
            const AccountId user(key_tail_u32(key));
            const Result<SeenRow> row = decode_seen_row(key, value);
            const bool has_place = TRY(is_there(walk, place));
            const bool is_leaving =
                !TRY(walk.has(mailbox_key(Family::Mailbox, place.account, place.mailbox)));
            if (row && has_place && !is_leaving) {
                totals.add(*row);
            }
            seen.expect(
                row.has_value() && has_place &&
                    (is_leaving || TRY(walk.has(access_key(place.account, place.mailbox, user)))),
                [&] { return key_text(key); });
            return {};
        }));
    for (const auto& [whose, total] : totals.all()) {
        const auto& [owner, mailbox, user] = whose;
        counts.expect(total.is_right(),
                      [&] { return key_text(seen_count_key(owner, mailbox, user)); });
    }
    walk.add(std::move(seen));
    walk.add(std::move(counts));
    return {};
}

}  // namespace

Result<> fsck_access(FsckWalk& walk) {
    TRY(check_lists(walk));
    TRY(check_grants(walk));
    return check_seen(walk);
}

}  // namespace godwit::store
