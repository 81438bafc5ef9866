// For tests: drives the client engine while the test plays the peer.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/smtp/client.h"

namespace godwit::smtp {

namespace ev = client_event;

inline mail::Address address(std::string_view text) {
    return *mail::parse_address(text);
}

inline OutgoingMail mail_to(std::vector<std::string> recipients, std::size_t size = 3) {
    OutgoingMail mail;
    mail.sender = address("a@example.net");
    for (const std::string& recipient : recipients) {
        mail.recipients.push_back({address(recipient), {}});
    }
    mail.size = size;
    return mail;
}

/// Drives the client; the test plays the peer.
struct Driver {
    explicit Driver(ClientOptions options = {}, std::string body_bytes = "x\r\n")
        : engine(std::move(options)), body(std::move(body_bytes)) {}

    /// What the client says after the peer said `bytes`.
    std::string hears(std::string_view bytes, bool bytewise = false) {
        for (std::size_t i = 0; i < bytes.size(); i += bytewise ? 1 : bytes.size()) {
            engine.feed(bytes.substr(i, bytewise ? 1 : bytes.size()));
        }
        return says();
    }
    std::string says() {
        std::string out;
        bool goes_on = true;
        while (goes_on) {
            goes_on = false;
            while (auto next = engine.next_event()) {
                on(*next);
                goes_on = true;
            }
            const std::string piece_of_output = engine.take_output();
            goes_on = goes_on || !piece_of_output.empty();
            out += piece_of_output;
        }
        return out;
    }
    void on(ev::Event& next) {
        if (std::holds_alternative<ev::Ready>(next)) {
            ++ready;
        } else if (std::holds_alternative<ev::StartTls>(next)) {
            ++tls;
        } else if (std::holds_alternative<ev::NeedBody>(next)) {
            if (supplied < body.size()) {
                const std::size_t size = std::min<std::size_t>(piece, body.size() - supplied);
                engine.supply(std::string_view(body).substr(supplied, size));
                supplied += size;
            } else {
                engine.end_body();
                supplied = 0;
            }
        } else if (auto* done = std::get_if<ev::TransactionDone>(&next)) {
            outcomes = done->outcomes;
            too_many = done->too_many_recipients;
            ++transactions;
        } else if (auto* one = std::get_if<ev::Failed>(&next)) {
            failed = *one;
        } else {
            ++closed;
        }
    }
    ClientEngine engine;
    std::string body;
    std::size_t supplied = 0;
    std::size_t piece = 1000;
    int ready = 0;
    int tls = 0;
    int transactions = 0;
    int closed = 0;
    bool too_many = false;
    std::vector<Outcome> outcomes;
    std::optional<ev::Failed> failed;
};

inline constexpr std::string_view kPipelining = "250-mx\r\n250-PIPELINING\r\n250 SIZE 1000\r\n";

inline Driver ready(std::string_view ehlo = kPipelining, ClientOptions options = {}) {
    Driver driver(std::move(options));
    check(driver.hears("220 mx ESMTP\r\n") == "EHLO localhost\r\n", "it greets");
    (void)driver.hears(ehlo);
    check(driver.ready == 1, "it is ready");
    return driver;
}

}  // namespace godwit::smtp
