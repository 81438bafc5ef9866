#include "power/ledger.h"

#include <algorithm>

#include "store/directory/directory.h"
#include "store/fsck.h"
#include "store/mailbox/mailbox.h"

namespace godwit::power {
namespace {

using store::KeywordNames;
using store::MailboxState;
using store::MessageRow;
using store::ReadTier;
using store::Snapshot;

constexpr std::size_t kRowsAtOnce = 512;

std::set<std::string> words(const store::KeywordSet& set, const KeywordNames& names) {
    std::set<std::string> found;
    for (const auto& [number, name] : names) {
        if (set.has(number)) {
            found.insert(name);
        }
    }
    return found;
}

class Comparison {
public:
    Comparison(store::Store& store, Ledger& ledger)
        : store_(&store), snapshot_(store.snapshot()), ledger_(&ledger) {}

    Result<> run() {
        for (auto& [name, person] : ledger_->people) {
            TRY(look_at(name, person));
        }
        for (const std::string& name : ledger_->gone) {
            if (TRY(find_account(*snapshot_, ReadTier::Disk, name, ""))) {
                differs(name + " came back");
            }
        }
        TRY(look_at_queue());
        const MailId id = store_->next_mail_id();
        if (!ledger_->ids.empty() && id <= *ledger_->ids.rbegin()) {
            differs("mail id " + to_string(id) + " is given again");
        }
        return look_at_invariants();
    }
    [[nodiscard]] std::vector<std::string> take() && { return std::move(differences_); }

private:
    struct Given {
        std::uint32_t mailbox;
        std::uint32_t validity;
    };
    void differs(std::string what) { differences_.push_back(std::move(what)); }

    Result<> look_at(const std::string& name, Person& person) {
        const auto account = TRY(find_account(*snapshot_, ReadTier::Disk, name, ""));
        if (!account) {
            differs("account " + name + " is lost");
            return {};
        }
        if (person.id == AccountId{}) {
            if (account->id.value() <= ledger_->last_account) {
                differs(name + " has a number that was given before");
            }
            person.id = account->id;
            ledger_->last_account = std::max(ledger_->last_account, account->id.value());
        }
        if (account->id != person.id) {
            differs(name + " has another number");
            return {};
        }
        const auto head = TRY(read_head(*snapshot_, ReadTier::Disk, person.id));
        if (!head || head->mod_seq < person.mod_seq) {
            differs(name + ": the mod-sequence went back");
            return {};
        }
        person.mod_seq = head->mod_seq;
        std::set<std::string> found;
        const Given before{person.last_mailbox, person.last_validity};
        const KeywordNames names = TRY(read_keywords(*snapshot_, ReadTier::Disk, person.id));
        for (const MailboxState& state :
             TRY(list_mailboxes(*snapshot_, ReadTier::Disk, person.id))) {
            const auto box = person.boxes.find(state.name);
            if (box == person.boxes.end()) {
                differs(name + ": mailbox " + state.name + " came back");
                continue;
            }
            found.insert(state.name);
            TRY(look_at(name + "/" + state.name, person, box->second, state, names, before));
        }
        for (const auto& [box, letters] : person.boxes) {
            if (!found.contains(box)) {
                differs(name + ": mailbox " + box + " is lost");
            }
        }
        return {};
    }

    Result<> look_at(const std::string& name, Person& person, Box& box, const MailboxState& state,
                     const KeywordNames& keywords, const Given& before) {
        if (box.id == MailboxId{}) {
            if (state.id.value() <= before.mailbox) {
                differs(name + " has a number that was given before");
            }
            if (state.uid_validity.value() <= before.validity) {
                differs(name + " has a UIDVALIDITY that was given before");
            }
            box.id = state.id;
            box.validity = state.uid_validity;
        }
        person.last_mailbox = std::max(person.last_mailbox, state.id.value());
        person.last_validity = std::max(person.last_validity, state.uid_validity.value());
        if (state.id != box.id || state.uid_validity != box.validity) {
            differs(name + " has another number or UIDVALIDITY");
        }
        if (state.uid_next.value() != box.uid_next) {
            differs(name + ": UIDNEXT is " + std::to_string(state.uid_next.value()) + ", not " +
                    std::to_string(box.uid_next));
        }
        if (state.highest_mod_seq.value() < box.mod_seq) {
            differs(name + ": HIGHESTMODSEQ went back");
        }
        box.mod_seq = state.highest_mod_seq.value();
        std::set<std::uint32_t> seen;
        for (Uid from{1};;) {
            const auto rows =
                TRY(read_rows(*snapshot_, ReadTier::Disk, person.id, box.id, from, kRowsAtOnce));
            for (const MessageRow& row : rows) {
                seen.insert(row.uid.value());
                TRY(look_at(name, person, box, row, keywords));
            }
            if (rows.size() < kRowsAtOnce) {
                break;
            }
            from = Uid(rows.back().uid.value() + 1);
        }
        for (const auto& [uid, letter] : box.letters) {
            if (!seen.contains(uid)) {
                differs(name + ": message " + std::to_string(uid) + " is lost");
            }
        }
        return {};
    }

    Result<> look_at(const std::string& name, const Person& person, const Box& box,
                     const MessageRow& row, const KeywordNames& keywords) {
        const std::string text = name + ": message " + std::to_string(row.uid.value());
        const auto letter = box.letters.find(row.uid.value());
        if (letter == box.letters.end()) {
            differs(text + " came back");
            return {};
        }
        if (row.flags.system != letter->second.flags ||
            words(row.flags.keywords, keywords) != letter->second.keywords) {
            differs(text + " has other flags");
        }
        const auto record = TRY(read_record(*snapshot_, ReadTier::Disk, person.id, row.email));
        if (!record || record->blob != letter->second.blob) {
            differs(text + " has another body");
        }
        return {};
    }

    Result<> look_at_queue() {
        std::set<MailId> found;
        for (MailId after{0};;) {
            const auto messages = TRY(list_queue(*snapshot_, ReadTier::Disk, after, kRowsAtOnce));
            for (const store::QueueMessage& message : messages) {
                after = message.mail;
                found.insert(message.mail);
                const auto queued = ledger_->queue.find(message.mail);
                if (queued == ledger_->queue.end()) {
                    differs("queued " + to_string(message.mail) + " came back");
                    continue;
                }
                std::map<std::uint32_t, std::uint32_t> attempts;
                for (const store::QueueDelivery& delivery :
                     TRY(read_deliveries(*snapshot_, ReadTier::Disk, message.mail))) {
                    attempts[delivery.number] = delivery.attempts;
                }
                if (attempts != queued->second.attempts || message.blob != queued->second.blob) {
                    differs("queued " + to_string(message.mail) + " is another");
                }
            }
            if (messages.size() < kRowsAtOnce) {
                break;
            }
        }
        for (const auto& [mail, queued] : ledger_->queue) {
            if (!found.contains(mail)) {
                differs("queued " + to_string(mail) + " is lost");
            }
        }
        return {};
    }

    Result<> look_at_invariants() {
        for (const store::FsckFinding& finding : TRY(fsck(*store_, {}))) {
            if (finding.violations != 0) {
                differs("fsck: " + finding.invariant + ": " + std::to_string(finding.violations) +
                        (finding.examples.empty() ? "" : " (" + finding.examples.front() + ")"));
            }
        }
        return {};
    }

    store::Store* store_;
    std::unique_ptr<Snapshot> snapshot_;
    Ledger* ledger_;
    std::vector<std::string> differences_;
};

}  // namespace

std::optional<std::vector<std::string>> compare(store::Store& store, Ledger& ledger) {
    Comparison comparison(store, ledger);
    if (!comparison.run()) {
        return std::nullopt;
    }
    return std::move(comparison).take();
}

}  // namespace godwit::power
