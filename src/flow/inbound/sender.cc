#include "flow/inbound/sender.h"

#include "base/log.h"
#include "base/probe.h"
#include "flow/read.h"
#include "store/directory/directory.h"

namespace godwit::flow {

net::Task<std::optional<smtp::Reply>> check_ownership(const Services* services, AccountId submitter,
                                                      std::vector<mail::Address> addresses) {
    using Foreign = std::optional<mail::Address>;
    Result<Foreign> foreign =
        co_await read(services,
                      [submitter, addresses](const store::Snapshot& snapshot,
                                             store::ReadTier tier) -> Result<Foreign> {
                          for (const mail::Address& address : addresses) {
                              if (!TRY(store::owns_address(snapshot, tier, submitter, address))) {
                                  return address;
                              }
                          }
                          return std::nullopt;
                      });
    if (!foreign) {
        log::error("smtp.ownership_lookup_failed", {{"error", foreign.error().text}});
        co_return smtp::make_reply(451, {4, 3, 0}, "Cannot look up addresses now, try again later");
    }
    if (*foreign) {
        co_return smtp::make_reply(
            553, {5, 7, 1},
            "You may not send as <" + (*foreign)->to_string() + ">: it is not an address of yours");
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
