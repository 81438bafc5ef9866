// Walks the store and says of each invariant how often it was looked at and how often it was broken.
// RELIABILITY.md "Invariants". Reads one snapshot, so a server may run meanwhile.
#include <array>
#include <map>
#include <set>

#include "base/crypto.h"
#include "base/limits.h"
#include "mail/address/address.h"
#include "serve/admin/calls.h"
#include "store/directory/directory.h"
#include "store/mailbox/mailbox.h"
#include "store/queue/queue.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

using store::ReadTier;

enum class Invariant : std::uint8_t {
    AccountDomain,
    AliasDomain,
    AccountInbox,
    UidOrder,
    ModSeqBound,
    MailboxCounters,
    AccountTotals,
    MessageRecord,
    MessageBody,
    QueueWork,
    QueueBody,
    QueueDue,
    DueDelivery,
    BodyHash,
    Count_,
};
constexpr std::array<std::string_view, static_cast<std::size_t>(Invariant::Count_)> kNames = {
    "the domain of every account is local",
    "the domain of every alias is local, and its targets are addresses",
    "every account has an INBOX",
    "UIDs rise and stay below UIDNEXT",
    "no mod-sequence is above the account's last",
    "a mailbox's counters are the counts of its messages",
    "an account's totals are the sums of its mailboxes",
    "every message in a mailbox has its record",
    "every message's body is stored, in the size its record says",
    "every queued message has a delivery to be made",
    "every queued message's body is stored in its size",
    "every delivery that waits is in the index of what is due",
    "every entry in the index of what is due is a delivery that waits",
    "every body has the hash it is named by",
};

class Walk {
public:
    Walk(const AdminHost& host, bool is_deep)
        : store_(*host.store), snapshot_(host.store->snapshot()), is_deep_(is_deep) {}

    Result<std::string> run() {
        TRY(walk_directory());
        TRY(walk_queue());
        TRY(walk_due());
        return report();
    }

private:
    struct Tally {
        std::uint64_t checked = 0;
        std::uint64_t broken = 0;
    };

    void expect(Invariant invariant, bool holds, const std::string& where) {
        Tally& tally = tallies_[static_cast<std::size_t>(invariant)];
        ++tally.checked;
        if (holds) {
            return;
        }
        ++tally.broken;
        if (broken_.size() < limits::fsck_findings_max) {
            broken_.push_back(where + ": not so: " +
                              std::string(kNames[static_cast<std::size_t>(invariant)]));
        }
    }

    Result<> walk_directory() {
        std::set<std::string, std::less<>> domains;
        for (const store::Domain& domain : TRY(store::list_domains(*snapshot_, ReadTier::Disk))) {
            domains.insert(domain.name);
        }
        const auto is_local = [&](const std::string& text) {
            const auto address = mail::parse_address(text);
            return address && domains.contains(address->domain);
        };
        for (const store::Alias& alias : TRY(store::list_aliases(*snapshot_, ReadTier::Disk))) {
            bool holds = is_local(alias.address) && !alias.targets.empty();
            for (const std::string& target : alias.targets) {
                holds = holds && mail::parse_address(target).has_value();
            }
            expect(Invariant::AliasDomain, holds, "alias " + alias.address);
        }
        for (const store::Account& account : TRY(store::list_accounts(*snapshot_, ReadTier::Disk))) {
            expect(Invariant::AccountDomain, is_local(account.name), "account " + account.name);
            TRY(walk_account(account));
        }
        return {};
    }

    Result<> walk_account(const store::Account& account) {
        const auto head = TRY(store::read_head(*snapshot_, ReadTier::Disk, account.id));
        const auto mailboxes = TRY(store::list_mailboxes(*snapshot_, ReadTier::Disk, account.id));
        bool has_inbox = false;
        Totals sum;
        const std::uint64_t last_mod_seq = head ? head->mod_seq : 0;
        for (const store::MailboxState& mailbox : mailboxes) {
            has_inbox = has_inbox || mailbox.id == store::kInbox;
            const Totals counted = TRY(walk_mailbox(account, mailbox, last_mod_seq));
            sum.messages += counted.messages;
            sum.bytes += counted.bytes;
        }
        expect(Invariant::AccountInbox, has_inbox, "account " + account.name);
        expect(Invariant::AccountTotals,
               head && head->messages_used == sum.messages && head->bytes_used == sum.bytes,
               "account " + account.name);
        return {};
    }

    struct Totals {
        std::uint64_t messages = 0;
        std::uint64_t unseen = 0;
        std::uint64_t deleted = 0;
        std::uint64_t bytes = 0;
    };

    Result<Totals> walk_mailbox(const store::Account& account, const store::MailboxState& mailbox,
                                std::uint64_t last_mod_seq) {
        const std::string where = account.name + " " + mailbox.name;
        Totals totals;
        Uid next{1};
        for (;;) {
            const auto rows = TRY(store::read_rows(*snapshot_, ReadTier::Disk, account.id, mailbox.id,
                                                   next, limits::scan_rows_max));
            for (const store::MessageRow& row : rows) {
                const std::string at = where + " uid " + std::to_string(row.uid.value());
                expect(Invariant::UidOrder, row.uid >= next && row.uid < mailbox.uid_next, at);
                expect(Invariant::ModSeqBound, row.mod_seq.value() <= last_mod_seq, at);
                ++totals.messages;
                totals.unseen += row.flags.has(store::SystemFlag::Seen) ? 0 : 1;
                totals.deleted += row.flags.has(store::SystemFlag::Deleted) ? 1 : 0;
                totals.bytes += row.size;
                TRY(check_message(account.id, row, at));
                next = Uid{row.uid.value() + 1};
            }
            if (rows.size() < limits::scan_rows_max) {
                break;
            }
        }
        expect(Invariant::MailboxCounters,
               totals.messages == mailbox.messages && totals.unseen == mailbox.unseen &&
                   totals.deleted == mailbox.deleted && totals.bytes == mailbox.bytes,
               where);
        return totals;
    }

    Result<> check_message(AccountId account, const store::MessageRow& row, const std::string& at) {
        const auto record = store::read_record(*snapshot_, ReadTier::Disk, account, row.email);
        const bool is_there = record && record->has_value();
        expect(Invariant::MessageRecord, is_there, at);
        if (is_there) {
            const store::MessageRecord& found = **record;
            expect(Invariant::MessageBody,
                   row.size == found.prefix.size() + found.blob_size &&
                       has_body(found.blob, found.blob_size),
                   at);
        }
        return {};
    }

    bool has_body(const BlobId& blob, std::uint64_t size) {
        const auto stored = store_.blobs().size(blob, ReadTier::Disk);
        if (!stored || *stored != size) {
            return false;
        }
        if (is_deep_ && seen_.insert(blob).second) {
            // A whole read compares the hash.
            const auto bytes = store_.blobs().read(blob, 0, size, ReadTier::Disk);
            expect(Invariant::BodyHash,
                   bytes && bytes->size() == size && sha256_bytes(*bytes) == blob.bytes(),
                   "body " + blob.to_hex());
        }
        return true;
    }

    Result<> walk_queue() {
        MailId after;
        for (;;) {
            const auto messages = TRY(
                store::list_queue(*snapshot_, ReadTier::Disk, after, limits::scan_rows_max));
            for (const store::QueueMessage& message : messages) {
                TRY(check_queued(message));
                after = message.mail;
            }
            if (messages.size() < limits::scan_rows_max) {
                return {};
            }
        }
    }

    Result<> check_queued(const store::QueueMessage& message) {
        const std::string where = "queued " + to_string(message.mail);
        const auto deliveries =
            TRY(store::read_deliveries(*snapshot_, ReadTier::Disk, message.mail));
        bool has_work = false;
        for (const store::QueueDelivery& delivery : deliveries) {
            for (const store::QueueRecipient& recipient : delivery.recipients) {
                has_work = has_work || recipient.state == store::RecipientState::Waiting;
            }
            if (delivery.is_held) {
                continue;
            }
            const std::string key =
                store::due_key(delivery.site, delivery.due, message.mail, delivery.number);
            const auto row = TRY(snapshot_->get(key, ReadTier::Disk));
            expect(Invariant::QueueDue, row.has_value(),
                   where + " delivery " + std::to_string(delivery.number));
        }
        expect(Invariant::QueueWork, has_work, where);
        expect(Invariant::QueueBody, has_body(message.blob, message.blob_size), where);
        return {};
    }

    Result<> walk_due() {
        std::string after;
        for (;;) {
            const auto sites =
                TRY(store::due_sites(*snapshot_, ReadTier::Disk, after, limits::scan_rows_max));
            for (const store::DueDelivery& first : sites) {
                TRY(walk_site(first.site));
                after = first.site;
            }
            if (sites.size() < limits::scan_rows_max) {
                return {};
            }
        }
    }

    Result<> walk_site(const std::string& site) {
        store::DueRange range{.site = site,
                              .from = WallTime{},
                              .until = WallTime::max(),
                              .count = limits::scan_rows_max};
        for (;;) {
            const auto rows = TRY(store::due_deliveries(*snapshot_, ReadTier::Disk, range));
            for (const store::DueDelivery& row : rows) {
                const auto delivery = TRY(
                    store::read_delivery(*snapshot_, ReadTier::Disk, row.mail, row.number));
                expect(Invariant::DueDelivery,
                       delivery && !delivery->is_held && delivery->due == row.due &&
                           delivery->site == site,
                       "due " + to_string(row.mail) + " delivery " + std::to_string(row.number));
            }
            // More rows of one microsecond than a page holds are not walked twice for ever.
            if (rows.size() < range.count || rows.back().due == range.from) {
                return {};
            }
            range.from = rows.back().due;
        }
    }

    std::string report() {
        JsonWriter json;
        std::uint64_t broken = 0;
        json.begin_object().key("invariants").begin_array();
        for (std::size_t i = 0; i < kNames.size(); ++i) {
            broken += tallies_[i].broken;
            if (i == static_cast<std::size_t>(Invariant::BodyHash) && !is_deep_) {
                continue;
            }
            json.begin_object().field("invariant", kNames[i]);
            json.field("checked", tallies_[i].checked);
            json.field("broken", tallies_[i].broken).end_object();
        }
        json.end_array().key("broken").begin_array();
        for (const std::string& text : broken_) {
            json.string(text);
        }
        json.end_array().field("good", broken == 0).end_object();
        return std::move(json).take();
    }

    store::Store& store_;
    std::unique_ptr<store::Snapshot> snapshot_;
    bool is_deep_;
    std::array<Tally, static_cast<std::size_t>(Invariant::Count_)> tallies_{};
    std::vector<std::string> broken_;
    std::set<BlobId> seen_;
};

}  // namespace

Result<std::string> check_store(const AdminHost& host, const AdminArguments& arguments) {
    return Walk(host, arguments.flag("deep")).run();
}

}  // namespace godwit::serve
