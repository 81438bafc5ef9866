#include "flow/inbound/question.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "base/ascii.h"
#include "base/log.h"
#include "flow/read.h"
#include "store/directory/directory.h"

namespace godwit::flow {

namespace {

using smtp::make_reply;
using smtp::Reply;

/// What the directory says about one address.
struct Finding {
    mail::Address address;
    store::RecipientVerdict verdict = store::RecipientVerdict::NotLocal;
    std::vector<store::Target> targets;
    /// An alias or a group has just this address.
    std::optional<store::Alias> alias;
    std::string full_name;  ///< Of the only account it leads to.
    bool is_its_own =
        false;  ///< An account, an alias or a role; not merely what a catch-all takes.
};

// Full names are the only free text; none may look like a mailbox of its own.
std::string mailbox(std::string_view full_name, const std::string& address) {
    std::string text;
    for (const char c : full_name) {
        text += is_ctl(c) || c == '<' || c == '>' ? ' ' : c;
    }
    text = std::string(trim(text));
    return text.empty() ? "<" + address + ">" : text + " <" + address + ">";
}

Reply not_for_ascii() {
    // RFC 6531 3.7.4.2.
    return make_reply(252, {2, 6, 8}, "The answer has UTF-8; ask with SMTPUTF8");
}

Reply if_showable(Reply reply, bool takes_utf8) {
    return takes_utf8 || is_ascii(reply.text) ? std::move(reply) : not_for_ascii();
}

Result<Finding> find(const store::Snapshot& snapshot, store::ReadTier tier, mail::Address address,
                     const std::string& default_domain) {
    Finding finding;
    finding.address = address;
    const auto domain = TRY(store::answering_domain(snapshot, tier, address.domain));
    if (!domain) {
        return finding;
    }
    store::Recipient resolved =
        TRY(store::resolve_recipient(snapshot, tier, address, default_domain));
    finding.verdict = resolved.verdict;
    finding.targets = std::move(resolved.targets);
    mail::Address canonical = address;
    canonical.domain = domain->name;
    finding.alias = TRY(store::find_alias(snapshot, tier, mail::account_key(canonical)));
    const auto account =
        TRY(store::find_account_by_key(snapshot, tier, mail::account_key(canonical)));
    finding.is_its_own = finding.alias.has_value() || account.has_value() ||
                         domain->catch_all.empty() || store::is_role(address.local);
    if (finding.targets.size() == 1) {
        if (const auto* local = std::get_if<store::LocalTarget>(&finding.targets.front())) {
            const auto owner = TRY(store::read_account(snapshot, tier, local->account));
            finding.full_name = owner ? owner->full_name : "";
            finding.is_its_own = finding.is_its_own || !local->detail.empty();
        }
    }
    return finding;
}

// A name without a domain: in which domains of ours somebody has it.
Result<std::vector<Finding>> find_name(const store::Snapshot& snapshot, store::ReadTier tier,
                                       const std::string& name, const std::string& default_domain) {
    std::vector<Finding> found;
    std::vector<std::string> domains = {default_domain};
    // <postmaster> alone is the default domain's (RFC 5321 4.5.1).
    const bool is_everywhere = store::is_role(name);
    for (const store::Domain& domain : TRY(store::list_domains(snapshot, tier))) {
        if (!is_everywhere && domain.alias_of.empty() && domain.name != default_domain &&
            domains.size() < question_domains_max) {
            domains.push_back(domain.name);
        }
    }
    for (const std::string& domain : domains) {
        const auto address = mail::make_address(name, domain);
        if (!address) {
            continue;
        }
        Finding finding = TRY(find(snapshot, tier, *address, default_domain));
        const bool is_there = finding.verdict != store::RecipientVerdict::NotLocal &&
                              finding.verdict != store::RecipientVerdict::NoSuchUser;
        if (is_there && finding.is_its_own) {
            found.push_back(std::move(finding));
        }
    }
    return found;
}

Reply nobody(const std::string& text) {
    return make_reply(550, {5, 1, 1}, "<" + text + "> is not known here");
}

// RFC 5321 3.5.1.
Reply ambiguous(const std::vector<Finding>& found) {
    std::string text = "Ambiguous; Possibilities are";
    for (const Finding& each : found) {
        text += "\n" + mailbox(each.full_name, each.address.to_string());
    }
    return make_reply(553, {5, 1, 4}, std::move(text));
}

std::optional<Reply> refusal(const Finding& finding, bool may_relay) {
    const std::string name = finding.address.to_string();
    switch (finding.verdict) {
        case store::RecipientVerdict::NotLocal:
            // RFC 5321 3.4: recognized, and not ours to take for whoever asks.
            return may_relay
                       ? make_reply(252, {2, 1, 5},
                                    "<" + name + "> is not local; will take mail for it")
                       : make_reply(551, {5, 7, 1}, "User not local; please try <" + name + ">");
        case store::RecipientVerdict::NoSuchUser: return nobody(name);
        case store::RecipientVerdict::Disabled:
            return make_reply(550, {5, 2, 1}, "Mailbox of <" + name + "> is disabled");
        case store::RecipientVerdict::Loop:
            return make_reply(550, {5, 4, 6},
                              "Aliases of <" + name + "> lead in a circle or too far");
        case store::RecipientVerdict::Local: break;
    }
    return std::nullopt;
}

Reply verify(const Finding& finding, bool may_relay) {
    if (auto refused = refusal(finding, may_relay)) {
        return *std::move(refused);
    }
    const std::string name = finding.address.to_string();
    if (!finding.is_its_own) {
        return make_reply(252, {2, 1, 5},
                          "Nobody has <" + name + ">, but a catch-all takes its mail");
    }
    if (finding.targets.size() == 1) {
        if (const auto* remote = std::get_if<store::RemoteTarget>(&finding.targets.front())) {
            return make_reply(
                251, {2, 1, 5},
                "User not local; will forward to <" + remote->address.to_string() + ">");
        }
    }
    return make_reply(250, {2, 1, 5}, mailbox(finding.full_name, name));
}

Reply expand(const Finding& finding, bool may_relay) {
    if (auto refused = refusal(finding, may_relay)) {
        // Nothing is known of members elsewhere: no 252, which is about mail for one mailbox.
        return finding.verdict == store::RecipientVerdict::NotLocal
                   ? make_reply(550, {5, 1, 1},
                                "<" + finding.address.to_string() + "> is no list of this server")
                   : *std::move(refused);
    }
    if (!finding.alias) {
        return make_reply(550, {5, 1, 1}, "That is a user name, not a mailing list");
    }
    std::string text;
    std::size_t shown = 0;
    for (const std::string& member : finding.alias->targets) {
        if (shown++ == question_members_max) {
            break;
        }
        text += (text.empty() ? "<" : "\n<") + member + ">";
    }
    return make_reply(250, {2, 1, 5}, std::move(text));
}

/// "<a@b>", "a@b": the address. "a", "<a>": the local part alone.
Result<mail::Address> read_name(std::string_view text) {
    if (text.starts_with('<')) {
        const mail::ParsedPath path = TRY(mail::parse_path(text, mail::Domainless::Allow));
        if (!path.address || path.size != text.size()) {
            return peer_error(ErrorCode::Invalid, "no mailbox");
        }
        return *path.address;
    }
    return mail::parse_address(text, mail::Domainless::Allow);
}

}  // namespace

net::Task<Reply> answer_question(const Services* services, Question question) {
    const Result<mail::Address> named = read_name(question.text);
    if (!named) {
        co_return make_reply(501, {5, 1, 3}, "Expected an address or a name");
    }
    const std::string domain = services->settings()->default_domain;
    const mail::Address address = *named;
    Result<std::vector<Finding>> found =
        co_await read(services,
                      [address, domain](const store::Snapshot& snapshot,
                                        store::ReadTier tier) -> Result<std::vector<Finding>> {
                          if (address.domain.empty()) {
                              return find_name(snapshot, tier, address.local, domain);
                          }
                          return std::vector<Finding>{TRY(find(snapshot, tier, address, domain))};
                      });
    if (!found) {
        log::error("smtp.question_failed", {{"error", found.error().text}});
        co_return make_reply(451, {4, 3, 0}, "Cannot look up addresses now, try again later");
    }
    Reply reply = found->empty()        ? nobody(address.to_string())
                  : found->size() > 1   ? ambiguous(*found)
                  : question.is_of_list ? expand(found->front(), question.may_relay)
                                        : verify(found->front(), question.may_relay);
    co_return if_showable(std::move(reply), question.takes_utf8);
}

}  // namespace godwit::flow
