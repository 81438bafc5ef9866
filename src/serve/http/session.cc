// A start page, /health and /metrics.
// RFC 9112 (request line, close); RFC 9110 (status codes).
#include "serve/http/session.h"

#include <array>
#include <optional>

#include "base/ascii.h"
#include "base/limits.h"
#include "net/io/offload.h"
#include "store/store.h"

namespace godwit::serve {
namespace {

struct Answer {
    std::string_view status;
    std::string_view type = "text/plain; charset=utf-8";
    std::string body;
};

std::string render(const Answer& answer, bool with_body) {
    std::string out = "HTTP/1.1 ";
    out.append(answer.status).append("\r\nContent-Type: ").append(answer.type);
    out.append("\r\nContent-Length: ").append(std::to_string(answer.body.size()));
    out.append(
        "\r\nConnection: close\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff"
        "\r\nContent-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n");
    out.append(answer.status.starts_with("405") ? "Allow: GET, HEAD\r\n" : "").append("\r\n");
    return with_body ? out.append(answer.body) : out;
}

std::string start_page(std::string_view hostname) {
    std::string name;
    for (const char c : hostname) {
        name.push_back(is_alnum(c) || c == '.' || c == '-' ? c : '?');
    }
    return "<!doctype html>\n<html lang=\"en\"><title>Godwit</title>\n<h1>Godwit</h1>\n<p>The mail "
           "server " +
           name + " is running. Read your mail by IMAP or POP3; send by submission.</p>\n</html>\n";
}

/// The value of the first field of that name (lower case); empty when there is none.
std::string_view field(std::string_view head, std::string_view name) {
    for (std::string_view line : split(head, '\n')) {
        const std::size_t colon = line.find(':');
        if (colon != std::string_view::npos && equals_ignore_case(line.substr(0, colon), name)) {
            return trim(line.substr(colon + 1));
        }
    }
    return {};
}

}  // namespace

std::string answer_http(std::string_view head, std::string_view hostname, Health health,
                        const MetricsFacts* metrics) {
    const auto words = split(head.substr(0, head.find("\r\n")), ' ');
    if (words.size() != 3 || !words[2].starts_with("HTTP/1.")) {
        return render({.status = "400 Bad Request", .body = "That is no HTTP request.\n"}, true);
    }
    const bool is_head = words[0] == "HEAD";
    if (words[0] != "GET" && !is_head) {
        return render({.status = "405 Method Not Allowed", .body = "Only GET and HEAD.\n"}, true);
    }
    const std::string_view path = words[1].substr(0, words[1].find('?'));
    if (path == "/health" && health == Health::Ending) {
        return render({.status = "503 Service Unavailable", .body = "the disk has failed\n"},
                      !is_head);
    }
    if (path == "/health") {
        return render({.status = "200 OK", .body = "ok\n"}, !is_head);
    }
    if (path == "/metrics" && metrics == nullptr) {
        return render({.status = "403 Forbidden", .body = "Not from this address.\n"}, !is_head);
    }
    if (path == "/metrics") {
        const MetricsFormat format = metrics_format(field(head, "accept"));
        return render({.status = "200 OK",
                       .type = content_type(format),
                       .body = render_metrics(format, *metrics)},
                      !is_head);
    }
    if (path == "/") {
        return render(
            {.status = "200 OK", .type = "text/html; charset=utf-8", .body = start_page(hostname)},
            !is_head);
    }
    return render({.status = "404 Not Found", .body = "There is nothing here.\n"}, !is_head);
}

net::Task<void> serve_http(Connection connection) {
    net::Stream* const stream = connection.stream.get();
    if (!connection.permit) {
        co_return;
    }
    stream->set_deadline(stream->shard().now() + limits::http_request_timeout);
    std::string head;
    while (head.find("\r\n\r\n") == std::string::npos) {
        std::array<char, 2048> block;
        const auto count = co_await stream->read_some(block);
        if (!count || *count == 0) {
            co_return;
        }
        head.append(block.data(), *count);
        if (head.size() > limits::http_head_size_max) {
            co_return;
        }
    }
    // What the server does is nobody's business but its own network's.
    std::optional<MetricsFacts> metrics;
    if (!stream->peer().is_global() && head.find(" /metrics") != std::string::npos) {
        flow::Services* const services = connection.services;
        auto gathered = co_await net::offload(services->offload,
                                              [services] { return gather_metrics(*services); });
        if (gathered) {
            metrics = *std::move(gathered);
        }
    }
    const std::string answer =
        answer_http(head, connection.services->settings()->hostname,
                    connection.services->store->is_sound() ? Health::Sound : Health::Ending,
                    metrics ? &*metrics : nullptr);
    if (!co_await stream->write_all(answer)) {
        co_return;
    }
    co_await stream->close();
}

}  // namespace godwit::serve
