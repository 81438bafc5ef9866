#include "wire/smtp/client_facts.h"

#include <gtest/gtest.h>

namespace godwit::smtp {
namespace {

ClientFacts must(std::string_view argument, ClientFactUse use = ClientFactUse::StandIn) {
    auto facts = parse_client_facts(argument, use);
    EXPECT_TRUE(facts.has_value()) << argument;
    return facts.value_or(ClientFacts());
}
bool is_refused(std::string_view argument, ClientFactUse use = ClientFactUse::StandIn) {
    auto facts = parse_client_facts(argument, use);
    return !facts && facts.error().code == 501;
}

TEST(ClientFacts, xclient_attributes_in_any_case_and_xtext) {
    const ClientFacts facts = must(
        "name=spike.example.org ADDR=168.100.189.2 Port=4711 PROTO=esmtp HELO=a+2Bb "
        "LOGIN=alice@example.test DESTADDR=IPV6:2001:db8::1 DESTPORT=25");
    EXPECT_EQ(facts.text(ClientFact::Name), "spike.example.org");
    EXPECT_EQ(facts.text(ClientFact::Address), "168.100.189.2");
    EXPECT_EQ(facts.text(ClientFact::Port), "4711");
    EXPECT_EQ(facts.text(ClientFact::Protocol), "ESMTP");
    EXPECT_EQ(facts.text(ClientFact::Hello), "a+b");
    EXPECT_EQ(facts.text(ClientFact::Login), "alice@example.test");
    EXPECT_EQ(facts.text(ClientFact::LocalAddress), "2001:db8::1");
    EXPECT_EQ(facts.text(ClientFact::LocalPort), "25");
    EXPECT_FALSE(facts[ClientFact::Source].has_value());
}

TEST(ClientFacts, what_is_not_available_is_known_to_be_unknown) {
    const ClientFacts facts = must("NAME=[TEMPUNAVAIL] ADDR=[unavailable] PORT=[UNAVAILABLE]");
    EXPECT_EQ(facts[ClientFact::Name], "");
    EXPECT_EQ(facts[ClientFact::Address], "");
    EXPECT_EQ(facts[ClientFact::Port], "");
    EXPECT_FALSE(facts[ClientFact::Hello].has_value());
}

TEST(ClientFacts, later_words_take_the_place_of_earlier_ones) {
    ClientFacts facts = must("NAME=a HELO=b");
    facts.update(must("NAME=[UNAVAILABLE] PORT=1"));
    EXPECT_EQ(facts[ClientFact::Name], "");
    EXPECT_EQ(facts[ClientFact::Hello], "b");
    EXPECT_EQ(facts[ClientFact::Port], "1");
}

TEST(ClientFacts, malformed_ones_are_refused) {
    for (const std::string_view bad :
         {"", "  ", "NAME", "NAME=a NAME=b", "SOURCE=LOCAL", "IDENT=1", "COLOR=red", "PORT=65536",
          "PORT=-1", "PORT=x", "ADDR=host.example", "PROTO=LMTP", "HELO=a+0D+0Ab", "HELO=a+20b",
          "HELO=a+", "HELO=a+zz", "NAME=<a>", "NAME=a+28b+29", "NAME=\xC3\xA4"}) {
        EXPECT_TRUE(is_refused(bad)) << bad;
    }
    EXPECT_TRUE(is_refused("SOURCE=NEAR", ClientFactUse::Forwarded));
    EXPECT_TRUE(is_refused("LOGIN=a", ClientFactUse::Forwarded));
}

TEST(ClientFacts, a_value_has_at_most_255_octets) {
    EXPECT_EQ(must("NAME=" + std::string(254, 'a')).text(ClientFact::Name).size(), 254U);
    EXPECT_EQ(must("NAME=" + std::string(255, 'a')).text(ClientFact::Name).size(), 255U);
    EXPECT_TRUE(is_refused("NAME=" + std::string(256, 'a')));
}

TEST(ClientFacts, xforward_takes_other_protocols_and_addresses) {
    const ClientFacts facts = must("NAME=uucp ADDR=host!path PROTO=UUCP IDENT=4711 SOURCE=remote",
                                   ClientFactUse::Forwarded);
    EXPECT_EQ(facts.text(ClientFact::Address), "host!path");
    EXPECT_EQ(facts.text(ClientFact::Protocol), "UUCP");
    EXPECT_EQ(facts.text(ClientFact::Source), "REMOTE");
    EXPECT_EQ(facts.text(ClientFact::Identity), "4711");
}

TEST(ClientFacts, names_are_announced) {
    EXPECT_EQ(client_fact_names(ClientFactUse::StandIn),
              " NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT");
    EXPECT_EQ(client_fact_names(ClientFactUse::Forwarded),
              " NAME ADDR PORT PROTO HELO IDENT SOURCE");
}

}  // namespace
}  // namespace godwit::smtp
