// A remote mail system: a domain with users, MX hosts that take mail in their own way, and senders
// that write to our nodes.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "net/io/network.h"
#include "sim/dice.h"

namespace godwit::sim {

class World;
class Office;
class Sender;
struct Traits;

class Peer {
public:
    /// `number` from 1: "peer1.test". MX host i lives at 11.22.33.(number * 8 + i) and
    /// 2600:5::number:i, until it moves: nobody sends to addresses that are not public.
    Peer(World* world, unsigned number);
    ~Peer();
    Peer(const Peer&) = delete;
    Peer& operator=(const Peer&) = delete;

    [[nodiscard]] const std::string& domain() const { return domain_; }
    /// "user0@peer1.test" ... that take mail, and one that never exists (always 550).
    [[nodiscard]] const std::vector<std::string>& users() const { return users_; }
    [[nodiscard]] const std::string& nobody() const { return nobody_; }
    /// Every message to this peer fails for good, also in calm times.
    [[nodiscard]] bool refuses_all() const;
    /// "helo-only tarpit ...".
    [[nodiscard]] std::string describe() const;
    /// Registers its names, opens its doors, begins to live.
    void start();
    /// Faults stop: it takes mail like a good server from here on (unless refuses_all()).
    void become_calm();
    /// To another address: listens there, names follow later. By Names, by chance.
    void move();
    /// None of its senders is in the middle of a letter.
    [[nodiscard]] bool is_idle() const;

private:
    struct Host {
        std::string name;
        unsigned preference = 0;
        bool has_four = true;
        bool has_six = false;
        bool is_alive = true;  ///< In times of faults.
    };
    void settle_hosts();
    [[nodiscard]] net::IpAddress address(std::size_t host, bool is_six, unsigned place) const;
    [[nodiscard]] std::vector<net::IpAddress> addresses(std::size_t host, unsigned place) const;
    void publish();
    void open_doors();
    void open_door(const net::IpAddress& at);
    /// Nobody answers any more, or somebody says no.
    void shut(bool hangs);
    net::Task<void> die_now_and_then();
    net::Task<void> follow_with_names(unsigned place);

    World* world_;
    unsigned number_;
    Dice dice_;
    std::string domain_;
    std::vector<std::string> users_;
    std::string nobody_;
    std::unique_ptr<Traits> traits_;
    std::unique_ptr<Office> office_;
    std::vector<std::unique_ptr<Sender>> senders_;
    std::vector<Host> hosts_;
    unsigned place_ = 0;  // Moves so far.
    bool is_down_ = false;
    std::map<net::IpAddress, std::unique_ptr<net::Listener>> doors_;
    std::map<net::IpAddress, bool> dead_;
};

}  // namespace godwit::sim
