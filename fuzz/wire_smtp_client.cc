// The client against a peer of random bytes: every recipient gets one outcome, nothing bare leaves.
#include <cstdint>

#include "base/result.h"
#include "wire/smtp/client.h"

using namespace godwit;

namespace {

struct Run {
    explicit Run(smtp::ClientOptions options) : engine(std::move(options)) {}
    smtp::ClientEngine engine;
    std::string output;
    std::size_t supplied = 0;
    std::size_t mails = 0;
    std::size_t done = 0;
    bool closed = false;

    void send() {
        smtp::OutgoingMail mail;
        mail.sender = *mail::parse_address("a@example.net");
        mail.recipients.push_back({*mail::parse_address("b@example.org"), {}});
        mail.recipients.push_back({*mail::parse_address("c@example.org"), {}});
        mail.size = 6;
        mail.require_tls = mails == 1;
        mail.by = smtp::ByTime{
            .seconds = 60,
            .mode = mails == 2 ? smtp::ByTime::Mode::Return : smtp::ByTime::Mode::Notify};
        mail.priority = 1;
        mail.solicit = "net.example:ADV";
        mail.recipients[0].parameters.valid_since =
            smtp::ValidSince{.at = 0, .must_be_checked = mails == 2};
        ++mails;
        supplied = 0;
        engine.send(std::move(mail));
    }
    void act(smtp::client_event::Event& event) {
        namespace ev = smtp::client_event;
        check(!closed, "nothing comes behind Closed");
        if (std::holds_alternative<ev::Ready>(event)) {
            mails < 3 ? send() : engine.quit();
        } else if (std::holds_alternative<ev::StartTls>(event)) {
            engine.tls_started({.tls_exporter = "exporter", .tls_server_end_point = ""});
        } else if (std::holds_alternative<ev::NeedBody>(event)) {
            if (supplied < 6) {
                engine.supply(std::string_view(".\r\nx\r\n").substr(supplied, 3));
                supplied += 3;
            } else {
                engine.end_body();
            }
        } else if (std::holds_alternative<ev::Pause>(event)) {
            engine.resume();
        } else if (const auto* result = std::get_if<ev::TransactionDone>(&event)) {
            ++done;
            check(result->outcomes.size() == 2, "one outcome a recipient");
        } else if (std::holds_alternative<ev::Closed>(event)) {
            closed = true;
        }
    }
    void drain() {
        std::string piece;
        do {
            while (auto event = engine.next_event()) {
                act(*event);
            }
            piece = engine.take_output();
            output += piece;
        } while (!piece.empty());
    }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) {
        return 0;
    }
    smtp::ClientOptions options;
    options.is_lmtp = (data[0] & 1) != 0;
    options.tls = (data[0] & 2) != 0 ? smtp::TlsUse::Never : smtp::TlsUse::IfOffered;
    options.may_pipeline = (data[0] & 4) == 0;
    options.may_chunk = (data[0] & 8) == 0;
    options.use_helo = (data[0] & 32) != 0;
    options.is_dot_late = (data[0] & 64) != 0;
    options.auth_nonce = "nonce";
    options.allow_plaintext_auth = true;
    if ((data[0] & 16) != 0) {
        options.credentials = sasl::Credentials{.name = "n", .password = "p", .authzid = ""};
    }
    Run run(std::move(options));
    const std::size_t piece = 1 + data[1];
    std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
    for (; !bytes.empty() && !run.closed; bytes.remove_prefix(std::min(piece, bytes.size()))) {
        run.engine.feed(bytes.substr(0, piece));
        run.drain();
    }
    run.engine.on_disconnect("end of input");
    run.drain();
    check(run.closed && run.done == run.mails, "every mail has its outcomes");
    for (std::size_t i = 0; i < run.output.size(); ++i) {
        check(run.output[i] != '\n' || (i > 0 && run.output[i - 1] == '\r'), "no bare LF leaves");
    }
    return 0;
}
