// What a person does in one IMAP session: one command at a time, each remembered before it is sent
// and settled by its answer.
#pragma once

#include <string>
#include <vector>

#include "sim/people/comparison.h"
#include "sim/people/imap_client.h"

namespace godwit::sim {

class ImapActs {
public:
    /// All outlive it.
    ImapActs(Person* person, ImapClient* client, Dice* dice)
        : person_(person), memory_(&person->memory()), client_(client), dice_(dice) {}

    /// Finds out what became of a command that was not answered.
    net::Task<Result<>> catch_up();
    /// Something, by chance.
    net::Task<Result<>> act();
    /// Every mailbox, every message, every octet.
    net::Task<Result<>> look_at_all();

private:
    using Uids = std::vector<std::uint32_t>;
    enum class Depth : std::uint8_t { New, All };

    net::Task<Result<>> list();
    net::Task<Result<>> look(std::string name, Depth depth);
    net::Task<Result<>> read(Uids uids, Seen* seen);
    net::Task<Result<>> act_on_selected(double fraction);
    net::Task<Result<>> act_on_mailboxes(double fraction);
    net::Task<Result<>> fetch();
    net::Task<Result<>> store();
    net::Task<Result<>> change_flags(Uids uids, std::string how, Flags flags);
    net::Task<Result<>> expunge();
    net::Task<Result<>> copy_or_move(bool is_move);
    net::Task<Result<>> append();
    net::Task<Result<>> create();
    net::Task<Result<>> rename();
    net::Task<Result<>> remove();
    net::Task<Result<>> status();
    net::Task<Result<>> subscribe();
    net::Task<Result<>> list_subscribed();
    net::Task<Result<>> search();
    net::Task<Result<>> idle();
    net::Task<Result<>> leave();

    /// ask() for a command that changes something: what is not answered is unsettled.
    net::Task<Result<ImapAnswer>> change(std::string command);
    /// An answer counts once it is sure that it was not the last word of a node that ends.
    net::Task<Result<>> believe(ImapAnswer answer);
    void take(const Comparison& comparison);
    void broken(const std::string& invariant, const std::string& what);
    /// Flags and removals that the answer tells are such as were asked for.
    void check_told(const ImapAnswer& answer, const Uids& may_go);
    void take_copied(const std::string& told, const Uids& uids, const std::string& target);
    [[nodiscard]] RememberedMailbox& box() { return memory_->mailboxes[selected_]; }
    [[nodiscard]] Uids choose_uids(std::size_t most, bool is_for_removal);
    [[nodiscard]] std::string choose_mailbox(bool is_own);
    [[nodiscard]] std::string free_name();

    Person* person_;
    Person::Memory* memory_;
    ImapClient* client_;
    Dice* dice_;
    std::string selected_;  ///< "" when none is, or when it is open for reading only.
};

}  // namespace godwit::sim
