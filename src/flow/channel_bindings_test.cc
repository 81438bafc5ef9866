// Each binding lands in its own field; what TLS cannot give stays empty.
#include "flow/channel_bindings.h"

#include <gtest/gtest.h>

namespace godwit::flow {
namespace {

/// Gives the bindings it was made with.
class ScriptedTls final : public net::TlsSession {
public:
    ScriptedTls(std::optional<std::string> exporter, std::optional<std::string> end_point)
        : exporter_(std::move(exporter)), end_point_(std::move(end_point)) {}
    std::string version() const override { return "TLSv1.2"; }
    std::string cipher() const override { return ""; }
    std::string server_name() const override { return ""; }
    std::string alpn() const override { return ""; }
    bool is_resumed() const override { return false; }
    bool is_verified() const override { return false; }
    std::string verify_error() const override { return ""; }
    std::vector<std::string> peer_chain() const override { return {}; }
    std::vector<std::string> client_addresses() const override { return addresses_; }
    std::optional<std::string> channel_binding(net::ChannelBinding kind) const override {
        return kind == net::ChannelBinding::TlsExporter ? exporter_ : end_point_;
    }

private:
    std::optional<std::string> exporter_;
    std::optional<std::string> end_point_;

public:
    std::vector<std::string> addresses_;
};

TEST(ChannelBindings, a_certificate_counts_when_it_names_an_address) {
    ScriptedTls tls("exported", "hash");
    EXPECT_FALSE(channel_bindings(&tls).has_client_certificate);
    tls.addresses_ = {"alice@example.test"};
    EXPECT_TRUE(channel_bindings(&tls).has_client_certificate);
}

TEST(ChannelBindings, without_tls_there_are_none) {
    EXPECT_TRUE(channel_bindings(nullptr).is_empty());
}

TEST(ChannelBindings, each_in_its_own_field) {
    const ScriptedTls tls("exported", "hash of the certificate");
    const sasl::ChannelBindings bindings = channel_bindings(&tls);
    EXPECT_EQ(bindings.find("tls-exporter"), "exported");
    EXPECT_EQ(bindings.find("tls-server-end-point"), "hash of the certificate");
}

TEST(ChannelBindings, what_tls_cannot_give_stays_empty) {
    const ScriptedTls tls(std::nullopt, "hash of the certificate");
    const sasl::ChannelBindings bindings = channel_bindings(&tls);
    EXPECT_EQ(bindings.tls_exporter, "");
    EXPECT_EQ(bindings.tls_server_end_point, "hash of the certificate");
    EXPECT_FALSE(bindings.is_empty());
}

}  // namespace
}  // namespace godwit::flow
