#include "flow/inbound/sender.h"

#include "base/log.h"
#include "base/probe.h"
#include "flow/read.h"
#include "store/directory/directory.h"

namespace godwit::flow {

namespace {

// The first address that the account may not write as, and what it may.
struct Foreign {
    mail::Address address;
    std::string own;
    std::vector<std::string> granted;
};

// A reply line of 512 octets (RFC 5321 4.5.3.1.5) holds a few addresses; the rest are in `godwit
// account list`.
constexpr std::size_t kGrantsNamed = 3;
constexpr std::size_t kRefusalSizeMax = 400;

std::string refusal_text(const Foreign& foreign) {
    std::string text = "You may not send as <" + foreign.address.to_string() + ">: yours are <" +
                       foreign.own + ">, subaddresses and aliases of it";
    std::size_t named = 0;
    for (const std::string& granted : foreign.granted) {
        if (named++ == kGrantsNamed || text.size() + granted.size() > kRefusalSizeMax) {
            text += " and more";
            break;
        }
        text += named == 1 ? "; granted are " : ", ";
        text += granted.starts_with('@') ? "all of " + granted.substr(1) : "<" + granted + ">";
    }
    return text;
}

}  // namespace

net::Task<std::optional<smtp::Reply>> check_ownership(const Services* services, AccountId submitter,
                                                      std::vector<mail::Address> addresses) {
    Result<std::optional<Foreign>> foreign = co_await read(
        services,
        [submitter, addresses](const store::Snapshot& snapshot,
                               store::ReadTier tier) -> Result<std::optional<Foreign>> {
            for (const mail::Address& address : addresses) {
                if (TRY(store::may_send_as(snapshot, tier, submitter, address))) {
                    continue;
                }
                Foreign found{.address = address, .own = "", .granted = {}};
                if (auto account = TRY(store::read_account(snapshot, tier, submitter))) {
                    found.own = account->name;
                    found.granted = std::move(account->send_as);
                }
                return found;
            }
            return std::nullopt;
        });
    if (!foreign) {
        log::error("smtp.ownership_lookup_failed", {{"error", foreign.error().text}});
        co_return smtp::make_reply(451, {4, 3, 0}, "Cannot look up addresses now, try again later");
    }
    if (*foreign) {
        co_return smtp::make_reply(553, {5, 7, 1}, refusal_text(**foreign));
    }
    co_return std::nullopt;
}

std::optional<smtp::Reply> fault_refusal(const Services* services) {
    if (services->store->is_sound()) {
        return std::nullopt;
    }
    return smtp::make_reply(451, {4, 3, 0}, "The server's disk has failed, try again later");
}

net::Task<smtp::Reply> check_sender(const Services* services, std::optional<mail::Address> sender,
                                    std::optional<AccountId> submitter) {
    if (std::optional<smtp::Reply> refusal = fault_refusal(services)) {
        co_return std::move(*refusal);
    }
    if (!services->store->has_room_for_mail()) {
        probe<"inbound.without_room">();
        co_return smtp::make_reply(452, {4, 3, 1}, "Disk is nearly full, try again later");
    }
    if (submitter && sender) {
        std::vector<mail::Address> addresses = {*sender};
        std::optional<smtp::Reply> refusal =
            co_await check_ownership(services, *submitter, std::move(addresses));
        if (refusal) {
            co_return std::move(*refusal);
        }
    }
    co_return smtp::make_reply(250, {2, 1, 0}, "Sender ok");
}

}  // namespace godwit::flow
