// A connection by which a peer hands letters to a node: an SMTP client of its own, that knows
// exactly what it was told.
// RFC 5321 3; RFC 1870 6; RFC 2920 3.1; RFC 3030 2; RFC 3207 4; RFC 3461 4.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "sim/dice.h"
#include "sim/ledger.h"
#include "sim/talk.h"

namespace godwit::sim {

class World;

/// What is wanted of one transaction.
struct Handing {
    Letter letter;
    std::vector<std::string> recipients;
    bool is_dirty = false;  ///< The text has a bare CR: must be refused.
};

/// What came of it.
struct Handed {
    std::vector<Told> told;        ///< For each recipient.
    bool is_put_off = false;       ///< Somebody was refused for now.
    bool wants_no_report = false;  ///< By NOTIFY, for all recipients.
};

class Transmission {
public:
    Transmission(World* world, std::unique_ptr<net::Stream> stream, std::string domain, Dice dice);

    /// Greeting, EHLO, TLS by chance. False: there is no session.
    net::Task<bool> open();
    /// One transaction. It ends in any way the dice want, also in the middle.
    net::Task<Handed> hand(Handing handing);
    /// The session stands.
    [[nodiscard]] bool is_open() const { return is_open_; }
    net::Task<void> close();

private:
    struct Reply {
        unsigned code = 0;
        std::string text;
        [[nodiscard]] bool is_good() const { return code / 100 == 2; }
    };
    struct Envelope {
        std::vector<std::string> lines;  // MAIL, RCPT ..., DATA.
        std::vector<bool> is_taken;      // By recipient.
        bool is_mail_good = false;
        unsigned data_code = 0;
        [[nodiscard]] bool has_taker() const;
    };
    enum class Step : std::uint8_t { Mail, Rcpt, Data, Body, End, kCount };

    net::Task<Result<Reply>> reply();
    net::Task<Result<Reply>> ask(std::string line);
    net::Task<Result<>> say_hello();
    Envelope envelope_of(const Handing& handing);
    net::Task<Result<>> say_envelope(Envelope* envelope, Handed* handed);
    net::Task<Result<>> transact(const Handing* handing, Handed* handed);
    net::Task<Result<>> body(const Handing* handing, bool has_recipients);
    net::Task<Result<>> chunks(const Handing* handing);
    net::Task<bool> drops_at(Step step);
    [[nodiscard]] bool has(const std::string& keyword) const { return offers_.contains(keyword); }
    [[nodiscard]] bool may_fail() const;
    std::string mail_line(const Handing& handing);
    std::string rcpt_line(const std::string& recipient);
    void draw_wishes(const Handing& handing);

    World* world_;
    Talk talk_;
    std::string domain_;
    Dice dice_;
    bool is_open_ = false;
    std::set<std::string> offers_;

    // Of the transaction.
    Step drop_at_ = Step::kCount;
    bool is_pipelined_ = false;
    bool is_chunked_ = false;
    std::string notify_;
    bool is_end_sent_ = false;  // The end of the message may have reached the node.
};

}  // namespace godwit::sim
