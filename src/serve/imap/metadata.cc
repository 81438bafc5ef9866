// Serves GETMETADATA and SETMETADATA.
// RFC 5464 4.2, 4.3; RFC 6154 5.4 (/private/specialuse). Q4.
#include "serve/imap/metadata.h"

#include <algorithm>
#include <map>

#include "flow/commit.h"
#include "flow/read.h"
#include "serve/imap/special_use.h"

namespace godwit::serve::imap_desk {

namespace {

// RFC 5464 4.1 asks for 1,024 at the least.
constexpr std::size_t kValueSizeMax = 64 * 1024;

constexpr std::string_view kPrivate = "/private/";
constexpr std::string_view kSpecialUse = "/private/specialuse";
constexpr std::string_view kAdmin = "/shared/admin";

using Entries = std::map<std::string, std::string>;

// RFC 5464 3.2.1.1: a URI under which the administrator is reached. RFC 5321 4.5.1: each domain has
// its postmaster.
std::string admin_uri(const Conversation& c) {
    const std::string& name = c.login().name;
    return "mailto:postmaster" + name.substr(std::min(name.find('@'), name.size()));
}

net::Task<Result<Entries>> read_all(Conversation* c, const Place* place) {
    const AccountId self = c->account();
    const AccountId account = place == nullptr ? self : place->account;
    const MailboxId id = place == nullptr ? MailboxId(0) : place->state.id;
    Entries all = CO_TRY(co_await flow::read(
        c->services(),
        [self, account, id](const store::Snapshot& snapshot,
                            store::ReadTier tier) -> Result<Entries> {
            Entries found;
            for (const AccountId user : {AccountId(0), self}) {
                for (auto& [name, value] :
                     TRY(store::read_annotations(snapshot, tier, account, id, user))) {
                    found.insert_or_assign(std::move(name), std::move(value));
                }
            }
            return found;
        }));
    if (place == nullptr) {
        all.insert_or_assign(std::string(kAdmin), admin_uri(*c));
    } else if (!place->state.special_use.empty()) {
        all.insert_or_assign(std::string(kSpecialUse), place->state.special_use);
    }
    co_return all;
}

void write_value(imap::ResponseWriter& out, std::string_view value) {
    if (value.find('\0') == std::string_view::npos) {
        out.string(value);
    } else {
        out.raw("~{").number(value.size()).raw("}\r\n").raw(value);  // RFC 4466 literal8.
    }
}

// What SETMETADATA comes to, or why it is refused.
struct Change {
    std::vector<store::PlanStep> steps;
    std::optional<Answer> refused;
};

class Setting {
public:
    Setting(Conversation* c, const Place* place) : c_(c), place_(place) {}
    Change make(imap::SetMetadataArguments arguments);

private:
    std::optional<Answer> take(std::string name, std::optional<std::string> value);

    Conversation* c_;
    const Place* place_;
    Change change_;
    store::SetAnnotations shared_;
    store::SetAnnotations private_;
};

std::optional<Answer> Setting::take(std::string name, std::optional<std::string> value) {
    if (value && value->size() > kValueSizeMax) {
        return no("METADATA MAXSIZE " + std::to_string(kValueSizeMax), "The value is too long");
    }
    const bool is_private = name.starts_with(kPrivate);
    if (name == kSpecialUse) {
        if (place_ == nullptr) {
            return no(imap::code::kCannot, "The server itself has no special use");
        }
        if (place_->account != c_->account()) {
            return no(imap::code::kNoPerm, "Only its owner gives a mailbox a special use");
        }
        if (value && !is_special_use(*value)) {
            return no(imap::code::kUseAttr, "No such special use, or not one to be given");
        }
        change_.steps.emplace_back(store::SetSpecialUse{
            c_->account(), place_->state.id, value ? as_special_use(*value) : std::string()});
        return std::nullopt;
    }
    if (place_ == nullptr && !is_private) {
        return no(imap::code::kNoPerm, "Shared entries of the server are its administrator's");
    }
    (is_private ? private_ : shared_).entries.push_back({std::move(name), std::move(value)});
    return std::nullopt;
}

Change Setting::make(imap::SetMetadataArguments arguments) {
    const MailboxId id = place_ == nullptr ? MailboxId(0) : place_->state.id;
    shared_.account = private_.account = place_ == nullptr ? c_->account() : place_->account;
    private_.user = c_->account();
    shared_.mailbox = private_.mailbox = id;
    for (auto& [name, value] : arguments.entries) {
        change_.refused = take(std::move(name), std::move(value));
        if (change_.refused) {
            return std::move(change_);
        }
    }
    for (store::SetAnnotations* step : {&shared_, &private_}) {
        if (!step->entries.empty()) {
            change_.steps.emplace_back(std::move(*step));
        }
    }
    return std::move(change_);
}

// The mailbox that is named, or none for the server.
net::Task<Sought<std::optional<Place>>> find_annotated(Conversation* c,
                                                       std::optional<imap::MailboxName> name,
                                                       std::string doing) {
    if (!name) {
        co_return std::optional<Place>();
    }
    Sought<Place> found = co_await seek_place(c, std::move(name->name), store::Right::Lookup,
                                              Wanted::Name, std::move(doing));
    if (!found) {
        co_return std::unexpected(std::move(found.error()));
    }
    if (!may_annotate(found->rights)) {
        co_return std::unexpected(no(imap::code::kNoPerm, "You may not do that there"));
    }
    co_return *std::move(found);
}

}  // namespace

bool may_annotate(store::Rights rights) {
    using store::Right;
    return rights.has(Right::Lookup) &&
           rights.has_any(Right::Read | Right::Seen | Right::Write | Right::Insert | Right::Post);
}

net::Task<Result<std::size_t>> write_metadata(Conversation* c, const Place* place,
                                              const MetadataQuestion* question) {
    const Entries all = CO_TRY(co_await read_all(c, place));
    imap::ResponseWriter& out = c->out();
    std::size_t longest = 0;
    bool is_first = true;
    const auto begin = [&](std::string_view name) {
        if (is_first) {
            out.raw("* METADATA ");
            // RFC 5464 4.2: the empty name is the server's.
            place == nullptr ? out.raw("\"\"") : out.mailbox(place->state.name);
        }
        out.raw(is_first ? " (" : " ").astring(name).raw(" ");
        is_first = false;
    };
    const auto is_asked = [&](const std::string& name) {
        return std::ranges::any_of(question->entries, [&](const std::string& entry) {
            return imap::is_within(name, entry, question->depth);
        });
    };
    for (const auto& [name, value] : all) {
        if (!is_asked(name)) {
            continue;
        }
        if (question->max_size && value.size() > *question->max_size) {
            longest = std::max(longest, value.size());
            continue;
        }
        begin(name);
        write_value(out, value);
    }
    if (question->depth == imap::MetadataDepth::Zero) {
        for (const std::string& entry : question->entries) {
            if (!all.contains(entry)) {
                begin(entry);
                out.raw("NIL");
            }
        }
    }
    if (!is_first) {
        out.raw(")").crlf();
    }
    co_return longest;
}

AnswerTask run_getmetadata(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::GetMetadataArguments> arguments = imap::parse_get_metadata(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const auto place = co_await find_annotated(c, std::move(arguments->mailbox), "GETMETADATA");
    if (!place) {
        co_return place.error();
    }
    const MetadataQuestion question{std::move(arguments->entries), arguments->depth,
                                    arguments->max_size};
    const Result<std::size_t> longest =
        co_await write_metadata(c, *place ? &**place : nullptr, &question);
    if (!longest) {
        co_return refusal(longest.error(), "GETMETADATA");
    }
    Answer answer = ok("GETMETADATA completed");
    if (*longest != 0) {
        answer.code = "METADATA LONGENTRIES " + std::to_string(*longest);
    }
    co_return answer;
}

AnswerTask run_setmetadata(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    Result<imap::SetMetadataArguments> arguments = imap::parse_set_metadata(lexer, c->spelling());
    if (!arguments) {
        co_return bad(arguments.error().text);
    }
    const auto place = co_await find_annotated(c, std::move(arguments->mailbox), "SETMETADATA");
    if (!place) {
        co_return place.error();
    }
    Change change = Setting(c, *place ? &**place : nullptr).make(std::move(*arguments));
    if (change.refused) {
        co_return *std::move(change.refused);
    }
    store::Plan plan;
    plan.steps = std::move(change.steps);
    const Result<> done = co_await flow::commit_all(c->services()->store, std::move(plan));
    if (!done && done.error().code == ErrorCode::LimitExceeded) {
        co_return no("METADATA TOOMANY", done.error().text);
    }
    if (!done) {
        co_return refusal(done.error(), "SETMETADATA");
    }
    co_return ok("SETMETADATA completed");
}

}  // namespace godwit::serve::imap_desk
