// One connection that a peer's server serves: SMTP read anew from the RFCs, so that what a node
// says is judged by somebody who does not share its mistakes. RFC 5321, 1870, 2920, 3030, 3207.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/io/stream.h"
#include "sim/dice.h"
#include "sim/peers/content.h"
#include "sim/peers/office.h"
#include "sim/peers/verbs.h"
#include "sim/talk.h"

namespace godwit::sim {

class Session {
public:
    /// The office outlives it.
    Session(Office* office, std::unique_ptr<net::Stream> stream, Dice dice);
    /// From the greeting to the end.
    net::Task<void> run();

private:
    enum class Stage : std::uint8_t { Greeting, Hello, Tls, Mail, Rcpt, Data, End, kCount };
    enum class Ending : std::uint8_t { Close, Abort };

    /// The trait shows now.
    bool acts(Trait trait, double chance);
    std::optional<Answer> refusal(Stage stage);
    [[nodiscard]] bool has(Offer offer) const { return offered_[index_of(offer)]; }
    void complain(const std::string& what);
    /// The client has heard all that was said before.
    void is_proven();

    // session.cc: the line, and commands.
    net::Task<bool> hear(std::size_t most);
    net::Task<void> overhear();
    net::Task<std::optional<std::string>> command();
    net::Task<bool> say(Answer answer);
    net::Task<bool> say(unsigned code, std::string status, std::string text);
    net::Task<void> mutter(std::string bytes);
    net::Task<bool> send(std::string bytes);
    net::Task<bool> greet();
    net::Task<void> say_garbage();
    net::Task<bool> obey(std::string line);
    net::Task<bool> hello(Verb verb);
    [[nodiscard]] Answer welcome(bool is_extended);
    net::Task<bool> start_tls();
    net::Task<void> break_tls(std::uint64_t how);

    // session_mail.cc: a transaction.
    net::Task<bool> mail(Verb verb);
    net::Task<bool> rcpt(Verb verb);
    void check_parameters(const PathLine& path, Stage stage);
    net::Task<bool> data();
    net::Task<bool> bdat(Verb verb);
    net::Task<bool> body_of_data();
    net::Task<void> dawdle_in_body();
    void check_content();
    void check_size();
    net::Task<bool> end_of_mail();
    net::Task<bool> say_taken();
    void reset();

    Office* office_;
    Talk talk_;
    Dice dice_;
    std::string heard_;  // Read and not understood yet.
    bool is_over_ = false;
    Ending ending_ = Ending::Close;
    std::optional<Stage> sore_stage_;  // Where RefusesForNow and RefusesForGood show.
    bool is_tarpit_ = false;
    bool is_slow_ = false;
    bool drops_pipelined_ = false;
    bool has_complained_ = false;

    std::size_t census_number_ = 0;
    std::optional<MonoTime> said_at_;
    Office::Receipt receipt_;

    std::string client_;  // Its EHLO name; its address before.
    Offers offered_;
    bool is_greeted_ = false;
    bool is_data_ = false;          // DATA is being answered.
    bool may_be_followed_ = false;  // More may stand behind the command (RFC 2920 3.1).
    bool has_mail_ = false;         // MAIL was accepted.
    Office::Envelope envelope_;
    std::map<std::string, std::string> mail_parameters_;
    std::optional<Content> content_;
    bool is_chunked_ = false;
};

}  // namespace godwit::sim
