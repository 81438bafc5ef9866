#include "stage.h"

#include <stdlib.h>
#include <unistd.h>
#include <map>

#include <cstdio>
#include <fstream>

#include "base/crypto.h"
#include "base/encoding.h"
#include "base/log.h"
#include "must.h"
#include "net/tls/certificate_maker.h"
#include "serve/admin/api.h"
#include "serve/imap/session.h"
#include "serve/pop3/session.h"
#include "serve/proxied.h"
#include "serve/smtp/session.h"
#include "store/directory/directory.h"
#include "store/folder.h"
#include "store/queue/queue.h"

namespace godwit::dialog {

namespace {

struct Door {
    std::string_view name;
    flow::Protocol protocol;
    std::uint16_t port;
    serve::Desk desk;
};
constexpr Door kDoors[] = {
    {"smtp", flow::Protocol::Smtp, 25, &serve::serve_smtp},
    {"submission", flow::Protocol::Submission, 587, &serve::serve_smtp},
    {"submissions", flow::Protocol::Submissions, 465, &serve::serve_smtp},
    {"lmtp", flow::Protocol::Lmtp, 24, &serve::serve_smtp},
    {"imap", flow::Protocol::Imap, 143, &serve::serve_imap},
    {"imaps", flow::Protocol::Imaps, 993, &serve::serve_imap},
    {"pop3", flow::Protocol::Pop3, 110, &serve::serve_pop3},
    {"pop3s", flow::Protocol::Pop3s, 995, &serve::serve_pop3},
    {"proxied-smtp", flow::Protocol::Smtp, 10025, &serve::serve_smtp},
    {"proxied-imaps", flow::Protocol::Imaps, 10993, &serve::serve_imap},
};

// One certificate for all tests of the process: making one costs milliseconds.
const net::TlsCertificate& test_certificate() {
    static const net::TlsCertificate certificate =
        must(net::make_self_signed({"mx.example.test", "localhost"},
                                   from_unix_seconds(1'767'225'600), std::chrono::days(3650)),
             "certificate");
    return certificate;
}

// Of clients: self-signed, so each is its own CA. The doors trust those of kTrustedClients.
constexpr std::string_view kTrustedClients[] = {"alice@example.test", "bob@example.test",
                                                "ghost@example.test", "alice@elsewhere.test"};
net::TlsCertificate make_client(std::string_view address) {
    return must(net::make_client_certificate(std::string(address), from_unix_seconds(1'767'225'600),
                                             std::chrono::days(3650)),
                "client certificate");
}
const std::vector<net::TlsCertificate>& client_certificates() {
    static const std::vector<net::TlsCertificate> all = [] {
        std::vector<net::TlsCertificate> made;
        for (const std::string_view address : kTrustedClients) {
            made.push_back(make_client(address));
        }
        return made;
    }();
    return all;
}
std::string client_cas() {
    std::string pem;
    for (const net::TlsCertificate& certificate : client_certificates()) {
        pem += certificate.chain_pem;
    }
    return pem;
}

const net::TlsCertificate& peer_certificate(Stage::PeerCertificate kind) {
    const auto make = [] {
        return must(
            net::make_self_signed({"mx.example.com", "mx2.example.com", "mta-sts.example.com"},
                                  from_unix_seconds(1'767'225'600), std::chrono::days(3650)),
            "certificate");
    };
    static const net::TlsCertificate trusted = make();
    static const net::TlsCertificate other = make();
    return kind == Stage::PeerCertificate::Trusted ? trusted : other;
}

// What the house trusts, as the file that the settings would name.
const std::string& trust_file() {
    static const std::string path = [] {
        std::string name = "/tmp/godwit-dialog-trust-XXXXXX";
        const int file = mkstemp(name.data());
        check(file >= 0, "a dialog has a place for a file");
        std::ofstream(name) << peer_certificate(Stage::PeerCertificate::Trusted).chain_pem;
        close(file);
        return name;
    }();
    static const struct Remover {
        ~Remover() { std::remove(path.c_str()); }
    } remover;
    return path;
}

}  // namespace

// What app/doors does with a connection.
net::Task<void> Stage::welcome(Stage* stage, const void* door, const net::TlsServerContext* tls,
                               std::unique_ptr<net::Stream> stream) {
    const Door* at = static_cast<const Door*>(door);
    if (at->name.starts_with("proxied-")) {
        auto proxied = co_await serve::take_proxy_header(&stage->services_, std::move(stream));
        if (!proxied) {
            co_return;
        }
        stream = *std::move(proxied);
    }
    serve::Connection connection;
    connection.services = &stage->services_;
    connection.listener.protocol = at->protocol;
    connection.tls = tls;
    connection.permit = stage->connection_guard_->admit(
        stream->peer(),
        {stage->settings_.limits.connections, stage->settings_.limits.connections_per_address});
    connection.stream = std::move(stream);
    co_await at->desk(std::move(connection));
}

struct Stage::PeerTls {
    net::TlsCertificates certificates;
    std::unique_ptr<net::TlsServerContext> context;
};

const net::TlsClientContext* Stage::client_trust(const std::string& address, bool is_trusted) {
    std::unique_ptr<net::TlsClientContext>& context = client_contexts_[{address, is_trusted}];
    if (context == nullptr) {
        const auto known = std::ranges::find(kTrustedClients, address);
        check(!is_trusted || known != std::end(kTrustedClients), "a client the doors trust");
        const auto at = static_cast<std::size_t>(known - std::begin(kTrustedClients));
        context = must(
            net::TlsClientContext::create(
                {.ca_file = trust_file(),
                 .certificate = is_trusted ? client_certificates().at(at) : make_client(address)}),
            "client trust");
    }
    return context.get();
}

const net::TlsServerContext* Stage::peer_tls(PeerCertificate kind) {
    std::unique_ptr<PeerTls>& tls = peer_tls_[kind];
    if (tls == nullptr) {
        tls = std::make_unique<PeerTls>();
        must(tls->certificates.replace({peer_certificate(kind)}), "certificates");
        tls->context =
            must(net::TlsServerContext::create(&tls->certificates, {.service = "peer", .alpn = {}}),
                 "tls");
    }
    return tls->context.get();
}

std::string Stage::peer_certificate_digest() {
    const std::string& pem = peer_certificate(PeerCertificate::Trusted).chain_pem;
    const std::size_t begin = pem.find('\n') + 1;
    std::string body = pem.substr(begin, pem.find("-----END") - begin);
    std::erase(body, '\n');
    return hex_encode(sha256_bytes(base64_decode(body).value_or("")));
}

Stage::Stage(std::string folder) : folder_(std::move(folder)) {
    settings_.hostname = "mx.example.test";
    settings_.default_domain = "example.test";
    settings_.is_development = true;
    settings_.allow_plaintext_login = true;
    settings_.argon2 = {.memory_kib = 64, .passes = 1};
    settings_.log_level = "error";
    log::set_level(log::Level::Error);
    network_ = std::make_unique<net::MemoryNetwork>(&loop_);
    must(certificates_.replace({test_certificate()}), "certificates");
    tls_client_ = must(net::TlsClientContext::create({.ca_file = trust_file()}), "client trust");
    pool_ = std::make_unique<net::OffloadInline>();
    login_guard_ = std::make_unique<flow::LoginGuard>(random_.bytes(32));
    connection_guard_ = std::make_unique<flow::ConnectionGuard>();
    recipient_guard_ = std::make_unique<flow::RecipientGuard>();
    sender_domains_ = std::make_unique<flow::SenderDomains>();
    request_guard_ = std::make_unique<flow::RequestGuard>();
    build_store();
    loop_.set_idle_work([this] { return store_ != nullptr && store_->committer().run_once(); });
    for (const char* name : {"alice", "bob"}) {
        add_account(name, name);
    }
}

Stage::~Stage() {
    stop();
}

void Stage::build_store() {
    store::StoreOptions options;
    if (!folder_.empty()) {
        store::keep_in_folder(options, folder_);
    }
    options.drive = store::CommitDrive::Manual;
    options.free_space = [this]() -> Result<std::uint64_t> { return free_space_; };
    options.on_fatal = [](const Error& error) {
        std::fprintf(stderr, "stage: store failed: %s\n", error.text.c_str());
    };
    store_ = must(store::Store::open(std::move(options), &loop_.clock(), &random_), "store");
    if (!must(store::find_domain(*store_->snapshot(), store::ReadTier::Disk,
                                 settings_.default_domain),
              "domain")) {
        store::Domain domain;
        domain.name = settings_.default_domain;
        commit(must(store::plan_add_domain(*store_->snapshot(), domain), "domain"));
    }
}

void Stage::commit(store::Plan plan) {
    bool is_done = false;
    store_->committer().submit(std::make_unique<store::Plan>(std::move(plan)),
                               [&is_done](store::CommitResult result) {
                                   check(result.has_value(), "the stage's plans fit");
                                   is_done = true;
                               });
    while (!is_done && store_->committer().run_once()) {
    }
    check(is_done, "a submitted plan is committed");
}

namespace {

net::Task<void> keep_survey(const flow::Services* services, flow::SurveyQuestion question,
                            std::optional<Result<flow::Survey>>* found) {
    *found = co_await flow::survey(services, std::move(question));
}

}  // namespace

std::string Stage::administer(const std::string& call, const std::string& arguments) {
    serve::AdminHost host;
    host.store = store_.get();
    host.clock = &loop_.clock();
    host.random = &random_;
    host.services = &services_;
    host.survey = [this](flow::SurveyQuestion question) -> Result<flow::Survey> {
        if (survey_ == nullptr) {
            survey_ = std::make_unique<std::optional<Result<flow::Survey>>>();
            net::spawn(loop_.shard(), "dialog.survey",
                       keep_survey(&services_, std::move(question), survey_.get()));
            settle();
        }
        if (!survey_->has_value()) {
            return temporary_error(ErrorCode::Timeout, "it waits for a peer");
        }
        Result<flow::Survey> found = **std::move(survey_);
        survey_.reset();
        return found;
    };
    host.argon2 = [this] { return settings_.argon2; };
    host.default_domain = settings_.default_domain;
    host.commit = [this](store::Plan plan) {
        std::optional<store::CommitResult> result;
        store_->committer().submit(
            std::make_unique<store::Plan>(std::move(plan)),
            [&result](store::CommitResult done) { result.emplace(std::move(done)); });
        while (!result && store_->committer().run_once()) {
        }
        check(result.has_value(), "a submitted plan is answered");
        return *std::move(result);
    };
    std::string answer =
        serve::answer_admin(host, R"({"call":")" + call + R"(","arguments":)" + arguments + "}");
    settle();
    return answer;
}

std::string Stage::order(const std::string& verb, const std::string& arguments) {
    return administer(verb.find('.') == std::string::npos ? "queue." + verb : verb,
                      arguments.empty() ? R"({"all":true})" : arguments);
}

net::Endpoint Stage::door(std::string_view name) {
    for (const Door& door : kDoors) {
        if (door.name == name) {
            return {net::IpAddress::loopback_v4(), door.port};
        }
    }
    check(false, "a dialog names a known door");
    return {};
}

void Stage::start() {
    if (store_ == nullptr) {
        build_store();
    }
    cell_.store(std::make_shared<flow::Settings>(settings_));
    roll_call_ = std::make_unique<flow::RollCall>(loop_.size());
    services_.store = store_.get();
    services_.network = network_.get();
    services_.resolver = &resolver_;
    services_.offload = pool_.get();
    services_.passwords = pool_.get();
    services_.tls_client = tls_client_.get();
    services_.clock = &loop_.clock();
    services_.random = &random_;
    services_.login_guard = login_guard_.get();
    services_.tokens = &token_desk_;
    services_.connection_guard = connection_guard_.get();
    services_.recipient_guard = recipient_guard_.get();
    services_.sender_domains = sender_domains_.get();
    services_.peer_quirks = &peer_quirks_;
    // A file's name is what stands in it.
    services_.read_secret = [](const std::string& path) -> Result<std::string> {
        return path.substr(1) + "\n";
    };
    services_.request_guard = request_guard_.get();
    services_.roll_call = roll_call_.get();
    services_.outbound_tls = &outbound_tls_;
    services_.tls_tally = &tls_tally_.emplace();
    services_.current_settings = &cell_;
    services_.decoy_secret = std::string(32, 'd');
    std::vector<net::Shard*> shards;
    for (unsigned i = 0; i < loop_.size(); ++i) {
        shards.push_back(&loop_.shard(i));
    }
    services_.shards = shards;
    operators_ = std::make_unique<flow::OperatorDesk>(&services_);
    must(operators_->start(), "operators");
    services_.operators = operators_.get();
    refusals_ = std::make_unique<flow::RefusalTrail>(&services_);
    services_.refusals = refusals_.get();
    scheduler_ = std::make_unique<flow::OutboundScheduler>(&services_, shards);
    services_.scheduler = scheduler_.get();
    verifier_ = std::make_unique<flow::RecipientVerifier>(&services_);
    services_.recipient_verifier = verifier_.get();
    must(scheduler_->start(), "scheduler");
    if (settings_.tls_reports.enabled) {
        tls_reporter_ = std::make_unique<flow::TlsReporter>(&services_);
        net::spawn(loop_.shard(), "tls-reports", tls_reporter_->run());
    }
    for (const Door& door : kDoors) {
        auto& context = tls_[std::string(door.name)];
        context = must(
            net::TlsServerContext::create(
                &certificates_,
                {.service = std::string(door.name), .alpn = {}, .client_ca_pem = client_cas()}),
            "tls");
        const net::TlsServerContext* tls = context.get();
        const Door* at = &door;
        listeners_.push_back(
            must(network_->listen(Stage::door(door.name), {.name = std::string(door.name)},
                                  [this, at, tls](std::unique_ptr<net::Stream> stream) {
                                      net::Shard& shard = stream->shard();
                                      net::spawn(shard, at->name,
                                                 welcome(this, at, tls, std::move(stream)));
                                  }),
                 "listen"));
    }
    settle();
}

void Stage::settle() {
    loop_.run_until_idle();
}

void Stage::advance(Duration by) {
    loop_.advance(by);
}

namespace {

// Time passes while a job runs.
class SlowPool final : public net::OffloadPool {
public:
    SlowPool(net::TestLoop* loop, Duration job_takes) : loop_(loop), job_takes_(job_takes) {}

    Result<> submit(net::Work job) override {
        loop_->clock().advance_to(loop_->clock().mono() + job_takes_);
        job();
        return {};
    }
    void stop() override {}
    [[nodiscard]] std::size_t waiting() const override { return 0; }

private:
    net::TestLoop* loop_;
    Duration job_takes_;
};

}  // namespace

void Stage::slow_pool(Duration job_takes) {
    slow_pool_ = std::make_unique<SlowPool>(&loop_, job_takes);
    services_.offload = slow_pool_.get();
}

void Stage::stop() {
    listeners_.clear();
    if (roll_call_ != nullptr) {
        for (unsigned i = 0; i < loop_.size(); ++i) {
            loop_.shard(i).post([this] { roll_call_->close_here(); });
        }
        settle();
    }
    if (scheduler_ != nullptr) {
        scheduler_->stop();
        settle();
    }
    if (tls_reporter_ != nullptr) {
        tls_reporter_->end(&loop_.shard());
        settle();
    }
    loop_.cancel_tasks();
    loop_.run_until_idle();
    survey_.reset();
    scheduler_.reset();
    tls_reporter_.reset();
    services_.operators = nullptr;
    operators_.reset();
    services_.scheduler = nullptr;
    roll_call_.reset();
    if (store_ != nullptr && !folder_.empty()) {
        store_->stop();
        store_.reset();
    }
}

std::vector<std::string> Stage::queue_lines() {
    settle();
    std::vector<std::string> lines;
    const auto snapshot = store_->snapshot();
    for (const store::QueueMessage& message :
         must(store::list_queue(*snapshot, store::ReadTier::Disk, MailId(0), limits::scan_rows_max),
              "queue")) {
        for (const store::QueueDelivery& delivery : must(
                 store::read_deliveries(*snapshot, store::ReadTier::Disk, message.mail), "queue")) {
            for (const store::QueueRecipient& recipient : delivery.recipients) {
                if (recipient.state != store::RecipientState::Waiting) {
                    continue;
                }
                lines.push_back(to_string(message.mail) + " from=<" + message.sender + "> to=<" +
                                recipient.address + "> " + (delivery.is_held ? "held" : "waiting") +
                                " attempts=" + std::to_string(delivery.attempts) + " " +
                                (delivery.is_held ? delivery.held_reason : recipient.last_reply));
            }
        }
    }
    return lines;
}

}  // namespace godwit::dialog
