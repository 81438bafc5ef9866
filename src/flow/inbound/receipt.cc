#include "flow/inbound/receipt.h"

#include <algorithm>

namespace godwit::flow {

bool is_expanded(const ArrivalRecipient& recipient) {
    const std::vector<store::Target>& targets = recipient.resolved.targets;
    // With an owner it is a list, whatever its size (RFC 3461 5.2.7.1).
    const auto has_owner = [](const store::Target& target) {
        const auto* remote = std::get_if<store::RemoteTarget>(&target);
        return remote != nullptr && remote->owner.has_value();
    };
    return targets.size() > 1 || std::ranges::any_of(targets, has_owner);
}

std::string original_recipient(const ArrivalRecipient& recipient) {
    const auto& orcpt = recipient.envelope.parameters.orcpt;
    return orcpt ? orcpt->type + ";" + orcpt->address : "";
}

std::vector<mail::DsnRecipient> receipts(const Arrival& arrival,
                                         const std::vector<bool>& is_left_out) {
    std::vector<mail::DsnRecipient> told;
    for (std::size_t i = 0; i < arrival.recipients.size(); ++i) {
        const ArrivalRecipient& recipient = arrival.recipients[i];
        const smtp::Notify& wanted = recipient.envelope.parameters.notify;
        const std::vector<store::Target>& targets = recipient.resolved.targets;
        if (is_left_out[i] || !wanted.is_stated || !wanted.success || targets.empty()) {
            continue;
        }
        const bool is_held = arrival.parameters.hold_for || arrival.parameters.hold_until;
        if (is_held && !is_expanded(recipient)) {
            continue;  // RFC 4865: told when it is released and delivered.
        }
        if (!is_expanded(recipient) &&
            std::holds_alternative<store::RemoteTarget>(targets.front())) {
            continue;
        }
        mail::DsnRecipient receipt;
        receipt.final_recipient = recipient.envelope.address;
        receipt.original_recipient = original_recipient(recipient);
        receipt.action =
            is_expanded(recipient) ? mail::DsnAction::Expanded : mail::DsnAction::Delivered;
        receipt.status = {2, 0, 0};
        told.push_back(std::move(receipt));
    }
    return told;
}

}  // namespace godwit::flow
