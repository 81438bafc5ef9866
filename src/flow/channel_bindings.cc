#include "flow/channel_bindings.h"

namespace godwit::flow {

sasl::ChannelBindings channel_bindings(const net::TlsSession* tls) {
    sasl::ChannelBindings bindings;
    if (tls != nullptr) {
        bindings.tls_exporter = tls->channel_binding(net::ChannelBinding::TlsExporter).value_or("");
        bindings.tls_server_end_point =
            tls->channel_binding(net::ChannelBinding::TlsServerEndPoint).value_or("");
        bindings.has_client_certificate = !tls->client_addresses().empty();
    }
    return bindings;
}

}  // namespace godwit::flow
