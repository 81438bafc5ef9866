#include "serve/imap/inventory.h"

#include "flow/read.h"

namespace godwit::serve::imap_desk {

net::Task<Result<Inventory>> take_inventory(Conversation* c) {
    const AccountId account = c->account();
    co_return co_await flow::read(
        c->services(),
        [account](const store::Snapshot& snapshot, store::ReadTier tier) -> Result<Inventory> {
            Inventory inventory;
            inventory.mailboxes = TRY(store::list_mailboxes(snapshot, tier, account));
            inventory.subscriptions = TRY(store::list_subscriptions(snapshot, tier, account));
            return inventory;
        });
}

std::string list_attributes(const store::MailboxState* mailbox, bool has_inferiors) {
    std::string text = has_inferiors ? "\\HasChildren" : "\\HasNoChildren";
    if (mailbox == nullptr) {
        text += " \\NonExistent";
    } else if (!mailbox->is_selectable) {
        text += " \\Noselect";
    }
    return text;
}

}  // namespace godwit::serve::imap_desk
