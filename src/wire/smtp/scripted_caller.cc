#include "wire/smtp/scripted_caller.h"

#include <algorithm>

#include "base/ascii.h"

namespace godwit::smtp {

namespace {

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};

Reply judge(const mail::Address& address, std::string_view welcome) {
    if (address.local == "nobody") {
        return make_reply(550, {5, 1, 1}, "No such user");
    }
    if (address.local == "later") {
        return make_reply(451, {4, 7, 1}, "Try again later");
    }
    return make_reply(250, {2, 1, 5}, std::string(welcome));
}

std::string parameters_of(const MailParameters& parameters) {
    std::string text;
    if (parameters.size) {
        text += " size=" + std::to_string(*parameters.size);
    }
    text += parameters.body == BodyType::EightBitMime ? " 8bit" : "";
    text += parameters.body == BodyType::SevenBit ? " 7bit" : "";
    text += parameters.smtputf8 ? " smtputf8" : "";
    text += parameters.ret == DsnReturn::Full ? " ret=full" : "";
    text += parameters.ret == DsnReturn::Headers ? " ret=headers" : "";
    text += parameters.envid ? " envid=[" + *parameters.envid + "]" : "";
    text += parameters.auth ? " auth=[" + *parameters.auth + "]" : "";
    return text;
}

std::string parameters_of(const RcptParameters& parameters) {
    std::string text;
    if (parameters.notify.is_stated) {
        text += " notify=";
        text += parameters.notify.success ? "S" : "";
        text += parameters.notify.failure ? "F" : "";
        text += parameters.notify.delay ? "D" : "";
    }
    if (parameters.orcpt) {
        text += " orcpt=" + parameters.orcpt->type + "[" + parameters.orcpt->address + "]";
    }
    return text;
}

}  // namespace

ScriptedCaller::ScriptedCaller(ServerOptions options) : engine(std::move(options)) {}

void ScriptedCaller::feed(std::string_view bytes) {
    if (!closed) {
        engine.feed(bytes);
        drain();
    }
}

void ScriptedCaller::drain() {
    while (auto next = engine.next_event()) {
        on(*next);
    }
    output_ += engine.take_output();
}

void ScriptedCaller::on(event::Event& next) {
    if (std::holds_alternative<event::EndOfMail>(next) && !body_.empty()) {
        log.push_back("body " + std::to_string(body_.size()));
    }
    std::visit(
        Overloaded{
            [&](event::Hello& e) {
                log.push_back("hello " + std::string(to_string(e.verb)) + " " + e.name);
            },
            [&](event::MailFrom& e) {
                log.push_back("mail " + write_path(e.sender) + parameters_of(e.parameters));
                engine.answer(e.sender ? judge(*e.sender, "Sender ok")
                                       : make_reply(250, {2, 1, 0}, "Sender ok"));
            },
            [&](event::RcptTo& e) {
                log.push_back("rcpt " + write_path(e.recipient.address) +
                              parameters_of(e.recipient.parameters) +
                              (e.recipient.is_bare_postmaster ? " bare" : ""));
                engine.answer(judge(e.recipient.address, "Recipient ok"));
            },
            [&](event::DataStart& e) {
                log.push_back(e.is_chunked ? "chunks" : "data");
                body_.clear();
                const bool booms = engine.transaction()->recipients.front().address.local == "boom";
                engine.answer(booms ? make_reply(554, {5, 7, 1}, "No")
                                    : Reply{.code = 354, .enhanced = {}, .text = ""});
            },
            [&](event::FetchUrl& e) {
                // "imap:three*abc": "abc" in three pieces.
                log.push_back("fetch " + e.url + " up to " + std::to_string(e.size_max));
                const std::size_t star = e.url.find('*');
                if (!e.url.starts_with("imap:") || star == std::string::npos) {
                    engine.answer(make_reply(554, {5, 6, 6}, "IMAP URL resolution failed"));
                    return;
                }
                std::string text = e.url.substr(star + 1);
                std::ranges::replace(text, '_', '\n');
                for (int piece = e.url.starts_with("imap:three") ? 3 : 1; piece > 0; --piece) {
                    const std::size_t size = piece == 1 ? text.size() : text.size() / 3;
                    const auto content = engine.take_fetched(text.substr(0, size));
                    text.erase(0, size);
                    if (!content) {
                        break;
                    }
                    body_ += *content;
                }
                engine.end_fetched();
            },
            [&](event::BodyBytes& e) { body_ += e.bytes; },
            [&](event::EndOfMail& e) {
                const std::size_t count = e.transaction.recipients.size();
                log.push_back("end " + std::to_string(e.size) + " for " + std::to_string(count) +
                              (e.was_repaired ? " repaired" : ""));
                check(e.size == body_.size(), "the size told is not the size given");
                check(count > 0, "a mail without recipients");
                mails.push_back({std::move(e.transaction), std::exchange(body_, std::string())});
                const std::string id = std::to_string(mails.size());
                engine.answer(make_reply(250, {2, 0, 0}, "Ok: queued as " + id));
            },
            [&](event::TransactionDropped& e) {
                log.push_back(e.had_body ? "dropped with body" : "dropped");
                body_.clear();
            },
            [&](event::StartTls&) {
                log.emplace_back("starttls");
                output_ += engine.take_output();
                engine.tls_started(
                    {.tls_exporter = "exporter", .tls_server_end_point = "certificate"});
            },
            [&](event::AuthPassword& e) {
                log.push_back("password " + e.authcid +
                              (e.authzid.empty() ? "" : " as " + e.authzid));
                const bool is_known = e.authcid == "alice" || e.authcid == "bob";
                engine.answer_auth(e.authcid == "broken"                ? sasl::Verdict::Temporary
                                   : is_known && e.password == "pencil" ? sasl::Verdict::Granted
                                                                        : sasl::Verdict::Denied);
            },
            [&](event::AuthScramLookup& e) {
                log.push_back("scram " + e.authcid);
                if (e.authcid == "broken") {
                    engine.answer_scram_unavailable();
                } else if (e.authcid == "alice") {
                    engine.answer_scram(sasl::scram_keys("pencil", "salt-of-alice", 4096));
                } else {
                    engine.answer_scram(std::nullopt);
                }
            },
            [&](event::AuthCertificate& e) {
                log.push_back("certificate as " + e.authzid);
                engine.answer_auth(e.authzid.empty() || e.authzid == "alice"
                                       ? sasl::Verdict::Granted
                                       : sasl::Verdict::Denied);
            },
            [&](event::AuthToken& e) {
                log.push_back("token as " + e.authzid);
                engine.answer_auth(e.token == "good" ? sasl::Verdict::Granted
                                                     : sasl::Verdict::Denied);
            },
            [&](event::AuthProved& e) {
                log.push_back("proved " + e.authcid);
                engine.answer_auth(sasl::Verdict::Granted);
            },
            [&](event::AuthFailed& e) { log.push_back("auth failed " + e.authcid); },
            [&](event::Question& e) {
                log.push_back((e.is_of_list ? "expand " : "verify ") + e.text +
                              (e.takes_utf8 ? " utf8" : ""));
                mail::Address address;
                address.local = e.text;
                engine.answer(judge(address, "<" + e.text + "@example.org>"));
            },
            [&](event::StandIn& e) {
                log.push_back("stand-in " + e.facts.text(ClientFact::Address) + " " +
                              e.facts.text(ClientFact::Hello) + " " +
                              e.facts.text(ClientFact::Login));
                const std::string login = e.facts.text(ClientFact::Login);
                if (e.facts.text(ClientFact::Name) == "crowd.example") {
                    engine.answer(make_reply(421, {4, 7, 0}, "Too many connections"));
                } else if (login == "nobody") {
                    engine.answer(make_reply(501, {5, 5, 4}, "No such account"));
                } else {
                    engine.answer_stand_in(
                        login.empty() ? std::nullopt
                                      : std::optional(sasl::Done{.authzid = "", .authcid = login}),
                        false);
                }
            },
            [&](event::Forwarded& e) {
                log.push_back("forwarded " + e.facts.text(ClientFact::Address) + " " +
                              e.facts.text(ClientFact::Name));
            },
            [&](event::Etrn& e) {
                log.push_back("etrn " + (e.option != 0 ? std::string(1, e.option) : "") + e.node);
                engine.answer(make_reply(250, {2, 0, 0}, "OK, queuing for node started"));
            },
            [&](event::Turn& e) {
                std::string domains;
                for (const std::string& domain : e.domains) {
                    domains += " " + domain;
                }
                log.push_back("turn" + domains);
                engine.answer(e.domains.empty()
                                  ? make_reply(453, {4, 2, 0}, "You have no mail")
                                  : make_reply(250, {2, 0, 0}, "OK now reversing the connection"));
            },
            [&](event::Close& e) {
                static constexpr std::string_view kNames[] = {
                    "quit",     "shutdown", "timeout",      "refused",
                    "too much", "protocol", "disconnected", "turned"};
                log.push_back("close " + std::string(kNames[static_cast<std::size_t>(e.reason)]));
                closed = true;
            },
        },
        next);
}

}  // namespace godwit::smtp
