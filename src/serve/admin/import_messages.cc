// The administrators' call that takes a group of messages: their facts are the request's arguments,
// their octets follow it one behind the other. One group is one plan and one sync; deliveries take
// their turn between two groups. docs/decisions/0025.
#include <algorithm>

#include "base/encoding.h"
#include "base/limits.h"
#include "base/probe.h"
#include "flow/message_record.h"
#include "mail/message/parser.h"
#include "serve/admin/calls.h"
#include "store/mailbox/origins.h"
#include "store/mailbox/unique_ids.h"
#include "store/store.h"
#include "wire/imap/flags.h"
#include "wire/imap/lexer.h"

namespace godwit::serve {

namespace {

/// A message with the rows it takes is far below plan_rows_max; the line of facts is shorter still.
constexpr std::size_t kGroupMax = 256;

struct Incoming {
    store::AppendMessage step;
    std::uint64_t size = 0;
    std::optional<Error> refused;
};

Result<store::FlagNames> read_flags(const JsonValue& facts) {
    store::FlagNames flags;
    const JsonValue* member = facts.find("flags");
    if (member == nullptr) {
        return flags;
    }
    if (member->array() == nullptr || member->array()->size() > limits::keywords_max) {
        return peer_error(ErrorCode::Invalid, "'flags' must be a list of at most " +
                                                  std::to_string(limits::keywords_max));
    }
    for (const JsonValue& item : *member->array()) {
        const std::string name = item.string() != nullptr ? *item.string() : std::string();
        const auto* const system =
            std::ranges::find(imap::kSystemFlags, name, &imap::SystemFlagName::name);
        if (system != std::end(imap::kSystemFlags)) {
            flags.system |= static_cast<std::uint8_t>(system->flag);
            continue;
        }
        const bool is_keyword = !name.empty() && name.size() <= limits::keyword_size_max &&
                                std::ranges::all_of(name, imap::is_atom_char);
        if (!is_keyword) {
            return peer_error(ErrorCode::Invalid, "'" + name + "' is no flag");
        }
        flags.keywords.push_back(name);
    }
    return flags;
}

Result<store::AppendMessage> read_facts(const JsonValue& facts) {
    store::AppendMessage step;
    step.flags = TRY(read_flags(facts));
    step.internal_date = facts.int_or("date", 0);
    step.origin = hex_decode(facts.string_or("origin", "")).value_or("");
    if (!store::is_origin(step.origin)) {
        return peer_error(ErrorCode::Invalid, "'origin' must be 32 hexadecimal digits");
    }
    step.unique_id = facts.string_or("unique_id", "");
    if (!step.unique_id.empty() && !store::is_unique_id(step.unique_id)) {
        return peer_error(ErrorCode::Invalid,
                          "'" + step.unique_id + "' is no unique id of POP3 (RFC 1939 7)");
    }
    const std::int64_t uid = facts.int_or("uid", 0);
    if (uid < 0 || uid >= std::int64_t{UINT32_MAX}) {
        return peer_error(ErrorCode::Invalid, std::to_string(uid) + " is no UID");
    }
    if (uid > 0) {
        step.uid = Uid(static_cast<std::uint32_t>(uid));
    }
    return step;
}

/// What the plan was dropped for is the message's own fault, not the store's or the folder's.
bool is_own_fault(const Error& error) {
    return error.code == ErrorCode::Denied || error.code == ErrorCode::OverQuota ||
           error.code == ErrorCode::LimitExceeded || error.code == ErrorCode::Invalid;
}

class GroupIntake final : public AdminIntake {
public:
    GroupIntake(const AdminHost* host, std::vector<Incoming> group)
        : host_(host), group_(std::move(group)) {}

    Result<> take(std::string_view octets) override {
        while (!octets.empty()) {
            if (!writer_) {
                TRY(begin_next());
            }
            const std::string_view now = octets.substr(
                0, static_cast<std::size_t>(std::min<std::uint64_t>(octets.size(), due_)));
            octets.remove_prefix(now.size());
            due_ -= now.size();
            parser_.feed(now);
            TRY(writer_->append(now));
            if (due_ == 0) {
                TRY(end_message());
            }
        }
        return {};
    }

    Result<std::string> finish() override {
        while (!plan_.steps.empty()) {
            crash_point<"import.planned">();
            store::CommitResult result = host_->commit(std::move(plan_));
            if (result) {
                crash_point<"import.committed">();
                count(*result);
                break;
            }
            TRY(drop_refused(std::move(result).error()));
        }
        return answer();
    }

private:
    Result<> begin_next() {
        // Those that are empty or were refused have no octets, or none that count.
        while (at_ < group_.size() && group_[at_].size == 0) {
            ++at_;
        }
        if (at_ == group_.size()) {
            return peer_error(ErrorCode::Invalid, "there are octets behind the last message");
        }
        due_ = group_[at_].size;
        writer_ = host_->store->blobs().writer();
        parser_ = mail::MessageParser();
        return {};
    }

    Result<> end_message() {
        Incoming& incoming = group_[at_];
        const mail::ParsedMessage parsed = parser_.finish();
        store::NewBody body = TRY(writer_->finish());
        writer_.reset();
        if (!incoming.refused) {
            incoming.step.record = flow::make_record(parsed, body);
            summary_octets_ += incoming.step.record.summary.size();
            if (summary_octets_ > limits::plan_bytes_max) {
                return peer_error(ErrorCode::LimitExceeded, "too many octets of headers at once");
            }
            plan_.steps.emplace_back(std::move(incoming.step));
            plan_.bodies.push_back(std::move(body));
            planned_.push_back(at_);
        }
        ++at_;
        return {};
    }

    Result<> drop_refused(store::PlanFailure failure) {
        if (!is_own_fault(failure.error) || failure.plan == nullptr ||
            failure.step >= planned_.size()) {
            return std::unexpected(std::move(failure.error));
        }
        const auto step = static_cast<std::ptrdiff_t>(failure.step);
        group_[planned_[failure.step]].refused = std::move(failure.error);
        planned_.erase(planned_.begin() + step);
        plan_ = std::move(*failure.plan);
        plan_.steps.erase(plan_.steps.begin() + step);
        plan_.bodies.erase(plan_.bodies.begin() + step);
        return {};
    }

    void count(const store::CommitReceipt& receipt) {
        for (const store::StepResult& result : receipt.results) {
            const auto* appended = std::get_if<store::Appended>(&result);
            ++(appended != nullptr && appended->was_duplicate ? known_ : taken_);
        }
    }

    [[nodiscard]] std::string answer() const {
        JsonWriter json;
        json.begin_object().field("taken", taken_).field("known", known_);
        json.key("refused").begin_array();
        for (std::size_t i = 0; i < group_.size(); ++i) {
            if (const auto& refused = group_[i].refused) {
                json.begin_object().field("index", std::uint64_t{i});
                json.field("code", to_string(refused->code)).field("text", refused->text);
                json.end_object();
            }
        }
        json.end_array().end_object();
        return std::move(json).take();
    }

    const AdminHost* host_;
    std::vector<Incoming> group_;
    std::size_t at_ = 0;
    std::uint64_t due_ = 0;
    std::unique_ptr<store::BlobWriter> writer_;
    mail::MessageParser parser_;
    store::Plan plan_;
    std::vector<std::size_t> planned_;  ///< Of each step of the plan: which message it is.
    std::size_t summary_octets_ = 0;
    std::uint64_t taken_ = 0;
    std::uint64_t known_ = 0;
};

Result<Incoming> read_incoming(const JsonValue& facts, AccountId account, MailboxId mailbox) {
    Incoming incoming;
    const std::int64_t size = facts.int_or("size", -1);
    if (size < 0) {
        return peer_error(ErrorCode::Invalid, "a message's 'size' must be a number");
    }
    incoming.size = static_cast<std::uint64_t>(size);
    auto step = read_facts(facts);
    if (!step) {
        incoming.refused = std::move(step).error();
        return incoming;
    }
    incoming.step = *std::move(step);
    incoming.step.account = account;
    incoming.step.mailbox = mailbox;
    if (size == 0) {
        incoming.refused = Error{
            .kind = ErrorKind::Peer, .code = ErrorCode::Invalid, .text = "the message is empty"};
    }
    return incoming;
}

}  // namespace

Result<std::string> import_messages(const AdminHost& host, const AdminArguments& arguments) {
    const AccountId account = TRY(moved_account(host, arguments));
    const MailboxId mailbox = TRY(moved_mailbox(arguments));
    const JsonValue* messages = arguments.find("messages");
    if (messages == nullptr || messages->array() == nullptr ||
        messages->array()->size() > kGroupMax) {
        return peer_error(ErrorCode::Invalid,
                          "'messages' must be a list of at most " + std::to_string(kGroupMax));
    }
    std::vector<Incoming> group;
    std::uint64_t octets = 0;
    for (const JsonValue& facts : *messages->array()) {
        group.push_back(TRY(read_incoming(facts, account, mailbox)));
        // The store's bound on a body says no to more in its own words.
        octets += std::min<std::uint64_t>(group.back().size, UINT64_MAX / (2 * kGroupMax));
    }
    AdminVisit& visit = arguments.visit();
    if (octets != visit.octets) {
        return peer_error(ErrorCode::Invalid, std::to_string(visit.octets) +
                                                  " octets follow, the messages have " +
                                                  std::to_string(octets));
    }
    if (!host.store->has_room_for_mail()) {
        return temporary_error(ErrorCode::DiskFull, "the disk is nearly full");
    }
    auto intake = std::make_unique<GroupIntake>(&host, std::move(group));
    if (octets == 0) {
        return intake->finish();
    }
    visit.intake = std::move(intake);
    return std::string("{}");
}

}  // namespace godwit::serve
