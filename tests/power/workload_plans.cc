// The plans of the workload: what each does, and what it will have done to the ledger.
#include <algorithm>
#include <utility>

#include "power/workload.h"
#include "store/directory/directory.h"
#include "store/mailbox/removal.h"

namespace godwit::power {

using store::Appended;
using store::Plan;
using store::PlanStep;
using store::ReadTier;
using store::StepResult;

namespace {

constexpr const char* kDomain = "example.test";

template <class Map>
auto any_of(Map& map, Random& random) {
    auto entry = map.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(random.below(map.size())));
    return entry;
}

std::set<std::string> some_keywords(Random& random) {
    std::set<std::string> words;
    for (const char* word : {"$Junk", "$Forwarded", "later"}) {
        if (random.below(4) == 0) {
            words.insert(word);
        }
    }
    return words;
}

store::FlagNames names_of(std::uint8_t flags, const std::set<std::string>& keywords) {
    return {.system = flags, .keywords = {keywords.begin(), keywords.end()}};
}

}  // namespace

void Workload::add(Expected& to, PlanStep step, Check check) {
    if (to.plan == nullptr) {
        to.plan = std::make_unique<Plan>();
    }
    to.plan->steps.push_back(std::move(step));
    to.checks.push_back(std::move(check));
}

std::optional<Workload::Expected> Workload::any_plan() {
    if (planned_.people.size() < 2) {
        return change_people();
    }
    const std::uint64_t dice = random_.below(100);
    if (dice < 36) {
        return deliver();
    }
    if (dice < 50) {
        return change_flags();
    }
    if (dice < 60) {
        return expunge();
    }
    if (dice < 67) {
        return copy(false);
    }
    if (dice < 74) {
        return copy(true);
    }
    if (dice < 79) {
        return queue_up();
    }
    if (dice < 84) {
        return attempt();
    }
    if (dice < 87) {
        return deliver_queued();
    }
    if (dice < 89) {
        return remove_queued();
    }
    if (dice < 95) {
        return change_mailboxes();
    }
    return dice < 97 ? change_people() : clean();
}

std::optional<store::NewBody> Workload::body() {
    std::string octets;
    if (!bodies_.empty() && random_.below(5) == 0) {
        octets = bodies_[random_.below(bodies_.size())];
    } else {
        const BodyRange range;
        const std::uint64_t dice = random_.below(20);
        octets = random_.bytes(random_.below(dice < 11   ? range.small_max
                                             : dice < 18 ? range.middle_max
                                                         : range.large_max));
        if (bodies_.size() < 8) {
            bodies_.push_back(octets);
        } else {
            bodies_[random_.below(bodies_.size())] = octets;
        }
    }
    const auto writer = store_->blobs().writer();
    const std::size_t half = octets.size() / 2;
    if (!writer->append(std::string_view(octets).substr(0, half)) ||
        !writer->append(std::string_view(octets).substr(half))) {
        return std::nullopt;
    }
    auto finished = writer->finish();
    return finished ? std::optional(*std::move(finished)) : std::nullopt;
}

Workload::Spot Workload::any_spot(bool is_inbox) {
    Spot spot;
    const auto person = any_of(planned_.people, random_);
    spot.name = person->first;
    spot.person = &person->second;
    auto box =
        is_inbox ? person->second.boxes.find("INBOX") : any_of(person->second.boxes, random_);
    if (box == person->second.boxes.end() || box->second.id == MailboxId{} ||
        person->second.id == AccountId{}) {
        return {};
    }
    spot.box_name = box->first;
    spot.box = &box->second;
    return spot;
}

std::vector<Uid> Workload::some_uids(const Box& box) {
    std::vector<Uid> uids;
    const std::uint64_t one_of = 1 + random_.below(4);
    for (const auto& [uid, letter] : box.letters) {
        if (random_.below(one_of) == 0) {
            uids.emplace_back(uid);
        }
    }
    return uids;
}

void Workload::append_to(Expected& to, const Spot& spot, const store::NewBody& body, MailId mail,
                         std::uint64_t once) {
    store::AppendMessage step;
    step.account = spot.person->id;
    step.mailbox = spot.box->id;
    step.record.blob = body.id;
    step.record.blob_size = body.size;
    step.record.prefix = "Return-Path: <a@example.test>\r\n";
    step.record.summary = std::string(random_.below(400), 's');
    for (std::uint64_t i = random_.below(3); i != 0; --i) {
        step.record.reference_hashes.push_back(1 + random_.below(12));
    }
    step.internal_date = unix_seconds(clock_->wall());
    step.mail = mail;
    step.once_key = once;
    Letter letter{.blob = body.id,
                  .flags = static_cast<std::uint8_t>(random_.below(4) == 0 ? random_.below(32) : 0),
                  .keywords = {}};
    if (letter.flags != 0) {
        letter.keywords = some_keywords(random_);
    }
    step.flags = names_of(letter.flags, letter.keywords);
    const std::uint32_t uid = spot.box->uid_next++;
    spot.box->letters[uid] = std::move(letter);
    add(to, std::move(step), [this, uid, name = spot.name](Ledger&, const StepResult& result) {
        const auto& appended = std::get<Appended>(result);
        if (appended.uid.value() != uid || appended.was_duplicate) {
            fault_(name + ": uid " + std::to_string(appended.uid.value()) + " was given, not " +
                   std::to_string(uid));
        }
    });
}

std::optional<Workload::Expected> Workload::deliver() {
    auto stored = body();
    if (!stored) {
        return std::nullopt;
    }
    Expected plan;
    const MailId mail = random_.below(6) == 0 ? MailId{} : store_->next_mail_id();
    std::set<Box*> boxes;
    for (std::uint64_t count = 1 + random_.below(3); count != 0; --count) {
        const Spot spot = any_spot(random_.below(3) != 0);
        if (spot.box != nullptr && boxes.insert(spot.box).second) {
            append_to(plan, spot, *stored, mail, 0);
        }
    }
    if (plan.plan == nullptr) {
        return std::nullopt;
    }
    if (mail != MailId{}) {
        planned_.ids.insert(mail);
        add(plan, store::TraceEvent{
                      .mail = mail, .at = clock_->wall(), .kind = "accepted", .detail = "{}"});
    }
    plan.plan->bodies.push_back(*std::move(stored));
    return plan;
}

std::optional<Workload::Expected> Workload::change_flags() {
    const Spot spot = any_spot(false);
    if (spot.box == nullptr || spot.box->letters.empty()) {
        return std::nullopt;
    }
    store::ChangeFlags step;
    step.account = spot.person->id;
    step.mailbox = spot.box->id;
    step.uids = some_uids(*spot.box);
    step.change = static_cast<store::FlagChange>(random_.below(3));
    const auto flags = static_cast<std::uint8_t>(random_.below(32));
    const auto keywords = some_keywords(random_);
    step.flags = names_of(flags, keywords);
    for (const Uid uid : step.uids) {
        Letter& letter = spot.box->letters[uid.value()];
        if (step.change == store::FlagChange::Replace) {
            letter.flags = flags;
            letter.keywords = keywords;
        } else if (step.change == store::FlagChange::Add) {
            letter.flags = static_cast<std::uint8_t>(letter.flags | flags);
            letter.keywords.insert(keywords.begin(), keywords.end());
        } else {
            letter.flags = static_cast<std::uint8_t>(letter.flags & ~flags);
            std::erase_if(letter.keywords,
                          [&](const auto& word) { return keywords.contains(word); });
        }
    }
    Expected plan;
    add(plan, std::move(step));
    return plan;
}

std::optional<Workload::Expected> Workload::expunge() {
    const Spot spot = any_spot(false);
    if (spot.box == nullptr || spot.box->letters.empty()) {
        return std::nullopt;
    }
    store::ExpungeMessages step;
    step.account = spot.person->id;
    step.mailbox = spot.box->id;
    step.uids = some_uids(*spot.box);
    step.only_deleted = random_.below(3) == 0;
    constexpr auto kDeleted = static_cast<std::uint8_t>(store::SystemFlag::Deleted);
    for (const Uid uid : step.uids) {
        if (!step.only_deleted || (spot.box->letters[uid.value()].flags & kDeleted) != 0) {
            spot.box->letters.erase(uid.value());
        }
    }
    Expected plan;
    add(plan, std::move(step));
    return plan;
}

std::optional<Workload::Expected> Workload::copy(bool move) {
    const Spot source = any_spot(false);
    if (source.box == nullptr || source.box->letters.empty()) {
        return std::nullopt;
    }
    const auto target = any_of(source.person->boxes, random_);
    if (&target->second == source.box || target->second.id == MailboxId{}) {
        return std::nullopt;
    }
    store::CopyMessages step;
    step.account = source.person->id;
    step.source = source.box->id;
    step.target = target->second.id;
    step.uids = some_uids(*source.box);
    step.move = move;
    std::vector<Uid> targets;
    for (const Uid uid : step.uids) {
        targets.emplace_back(target->second.uid_next);
        target->second.letters[target->second.uid_next++] = source.box->letters[uid.value()];
        if (move) {
            source.box->letters.erase(uid.value());
        }
    }
    Expected plan;
    add(plan, std::move(step), [this, targets](Ledger&, const StepResult& result) {
        if (std::get<store::Copied>(result).target != targets) {
            fault_("a copy has other uids than those that were next");
        }
    });
    return plan;
}

store::QueueDelivery Workload::delivery(std::uint32_t number, std::uint32_t attempts) {
    store::QueueDelivery delivery;
    delivery.number = number;
    delivery.site = "far" + std::to_string(random_.below(3)) + ".test";
    delivery.attempts = attempts;
    delivery.due = clock_->wall() + std::chrono::minutes(random_.below(500));
    delivery.is_held = random_.below(6) == 0;
    store::QueueRecipient recipient;
    recipient.address = "someone@far.test";
    delivery.recipients.push_back(std::move(recipient));
    return delivery;
}

std::optional<Workload::Expected> Workload::queue_up() {
    auto stored = body();
    if (!stored) {
        return std::nullopt;
    }
    store::AddToQueue step;
    step.message.mail = store_->next_mail_id();
    step.message.blob = stored->id;
    step.message.blob_size = stored->size;
    step.message.accepted_at = clock_->wall();
    Queued queued{.blob = stored->id, .attempts = {}};
    for (std::uint32_t number = 1 + static_cast<std::uint32_t>(random_.below(3)); number != 0;
         --number) {
        step.deliveries.push_back(delivery(number, 0));
        queued.attempts[number] = 0;
    }
    planned_.ids.insert(step.message.mail);
    planned_.queue[step.message.mail] = std::move(queued);
    Expected plan;
    add(plan,
        store::TraceEvent{
            .mail = step.message.mail, .at = clock_->wall(), .kind = "accepted", .detail = "{}"});
    add(plan, std::move(step));
    plan.plan->bodies.push_back(*std::move(stored));
    // Often somebody here gets it too: one plan.
    if (const Spot spot = any_spot(true); spot.box != nullptr && random_.below(3) == 0) {
        append_to(plan, spot, plan.plan->bodies[0],
                  std::get<store::AddToQueue>(plan.plan->steps[1]).message.mail, 0);
    }
    return plan;
}

std::optional<MailId> Workload::any_queued() {
    if (planned_.queue.empty()) {
        return std::nullopt;
    }
    return any_of(planned_.queue, random_)->first;
}

std::optional<Workload::Expected> Workload::attempt() {
    const auto mail = any_queued();
    if (!mail) {
        return std::nullopt;
    }
    Queued& queued = planned_.queue[*mail];
    const auto which = any_of(queued.attempts, random_);
    store::QueueDelivery outcome = delivery(which->first, which->second + 1);
    outcome.is_done = random_.below(2) == 0;
    if (outcome.is_done) {
        queued.attempts.erase(which);
    } else {
        which->second = outcome.attempts;
    }
    if (queued.attempts.empty()) {
        planned_.queue.erase(*mail);
    }
    Expected plan;
    add(plan, store::UpdateQueue{.mail = *mail, .deliveries = {std::move(outcome)}});
    add(plan, store::TraceEvent{
                  .mail = *mail, .at = clock_->wall(), .kind = "attempted", .detail = "{}"});
    return plan;
}

// Exactly once: the mailbox gets it in the commit in which the queue lets it go.
std::optional<Workload::Expected> Workload::deliver_queued() {
    const auto mail = any_queued();
    const Spot spot = any_spot(true);
    if (!mail || spot.box == nullptr) {
        return std::nullopt;
    }
    Queued& queued = planned_.queue[*mail];
    const auto size = store_->blobs().size(queued.blob, ReadTier::Disk);
    if (!size) {
        // In the group under way, or not readable.
        return std::nullopt;
    }
    Expected plan;
    store::NewBody there;
    there.id = queued.blob;
    there.size = *size;
    const auto which = any_of(queued.attempts, random_);
    append_to(plan, spot, there, *mail, which->first);
    store::QueueDelivery done = delivery(which->first, which->second);
    done.is_done = true;
    queued.attempts.erase(which);
    if (queued.attempts.empty()) {
        planned_.queue.erase(*mail);
    }
    add(plan, store::UpdateQueue{.mail = *mail, .deliveries = {std::move(done)}});
    return plan;
}

std::optional<Workload::Expected> Workload::remove_queued() {
    const auto mail = any_queued();
    if (!mail) {
        return std::nullopt;
    }
    planned_.queue.erase(*mail);
    Expected plan;
    add(plan, store::RemoveFromQueue{.mail = *mail});
    return plan;
}

std::optional<Workload::Expected> Workload::change_mailboxes() {
    const Spot spot = any_spot(false);
    if (spot.box == nullptr) {
        return std::nullopt;
    }
    const std::string fresh = "Box" + std::to_string(random_.below(8));
    const bool is_free = !spot.person->boxes.contains(fresh);
    Expected plan;
    const std::uint64_t dice = random_.below(4);
    if (dice == 0 && is_free) {
        spot.person->boxes[fresh] = {};
        add(plan,
            store::CreateMailbox{.account = spot.person->id, .name = fresh, .special_use = {}});
    } else if (dice == 1 && is_free && spot.box_name != "INBOX") {
        Box moved = *spot.box;
        spot.person->boxes.erase(spot.box_name);
        add(plan,
            store::RenameMailbox{.account = spot.person->id, .mailbox = moved.id, .name = fresh});
        spot.person->boxes[fresh] = std::move(moved);
    } else if (dice == 2 && spot.box_name != "INBOX") {
        add(plan, store::DeleteMailbox{.account = spot.person->id, .mailbox = spot.box->id});
        spot.person->boxes.erase(spot.box_name);
    } else if (random_.below(2) == 0) {
        add(plan,
            store::SubscribeMailbox{
                .account = spot.person->id, .name = fresh, .subscribed = random_.below(2) == 0});
    } else {
        add(plan, store::ClaimRecent{.account = spot.person->id, .mailbox = spot.box->id});
    }
    return plan;
}

// Plans that expect rows are made for the state before the group: nothing of the kind may stand
// before them in it.
std::optional<Workload::Expected> Workload::change_people() {
    if (is_directory_changing_) {
        return std::nullopt;
    }
    const auto snapshot = store_->snapshot();
    const auto domain = find_domain(*snapshot, ReadTier::Disk, kDomain);
    Result<Plan> made = temporary_error(ErrorCode::WouldBlock, "");
    if (!domain) {
        return std::nullopt;
    }
    Expected plan;
    if (!*domain) {
        store::Domain example;
        example.name = kDomain;
        made = plan_add_domain(*snapshot, example);
    } else if (planned_.people.size() > 2 && random_.below(3) == 0) {
        const std::string name = any_of(planned_.people, random_)->first;
        made = plan_remove_account(*snapshot, name);
        planned_.people.erase(name);
        planned_.gone.insert(name);
    } else if (planned_.people.size() < 4) {
        const std::string name = "user" + std::to_string(++next_person_) + "@" + kDomain;
        store::Account account;
        account.name = name;
        made = plan_add_account(*snapshot, account);
        Person person;
        for (const char* box : {"INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"}) {
            person.boxes[box] = {};
        }
        planned_.people[name] = std::move(person);
    }
    if (!made) {
        return std::nullopt;
    }
    is_directory_changing_ = true;
    plan.plan = std::make_unique<Plan>(*std::move(made));
    return plan;
}

std::optional<Workload::Expected> Workload::clean() {
    const auto snapshot = store_->snapshot();
    Result<std::optional<Plan>> made = std::nullopt;
    const WallTime before = clock_->wall() - std::chrono::minutes(random_.below(10));
    switch (random_.below(3)) {
        case 0: made = plan_removal(*snapshot, ReadTier::Disk); break;
        case 1:
            made = plan_log_trim(*snapshot, ReadTier::Disk,
                                 any_of(planned_.people, random_)->second.id, before);
            break;
        default: made = plan_trace_trim(*snapshot, ReadTier::Disk, before); break;
    }
    if (!made || !*made) {
        return std::nullopt;
    }
    Expected plan;
    plan.plan = std::make_unique<Plan>(**std::move(made));
    return plan;
}

}  // namespace godwit::power
