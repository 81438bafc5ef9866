// The house, built and taken down.
#include "app/house.h"

#include <atomic>
#include <mutex>
#include <thread>

#include "app/admin_client.h"
#include "app/config.h"
#include "app/config_oauth.h"
#include "app/descriptors.h"
#include "app/fault_watch.h"
#include "app/file.h"
#include "app/household.h"
#include "app/places.h"
#include "app/resolver_plan.h"
#include "app/survey_errand.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/probe.h"
#include "net/io/asio_network.h"
#include "net/io/shard_pool.h"
#include "net/tls/context.h"
#include "serve/admin/session.h"
#include "store/blob/file.h"
#include "store/directory/directory.h"
#include "store/store.h"

namespace godwit::app {
namespace {

unsigned core_count() {
    return std::max(1U, std::thread::hardware_concurrency());
}

unsigned shard_count(const flow::Settings& settings) {
    return settings.shards != 0 ? settings.shards : core_count();
}

std::string join(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) {
        out.append(out.empty() ? "" : ", ").append(word);
    }
    return out;
}

log::Level level_of(const std::string& word) {
    return word == "debug"   ? log::Level::Debug
           : word == "warn"  ? log::Level::Warn
           : word == "error" ? log::Level::Error
                             : log::Level::Info;
}

// The settings with what only the store can tell. SCRAM-SHA-1 is announced when everybody can use
// it: clients that know no other SCRAM would tell their user of a wrong password.
flow::SettingsPtr with_facts(flow::Settings settings, const store::Store& store) {
    const Result<std::size_t> lacking =
        store::count_without_sha1(*store.snapshot(), store::ReadTier::Disk);
    settings.has_sha1_keys = lacking && *lacking == 0;
    if (!settings.has_sha1_keys) {
        log::info("login.scram_sha1_not_announced",
                  {{"accounts_without_keys",
                    lacking ? std::to_string(*lacking) : "not readable: " + lacking.error().text}});
    }
    return std::make_shared<const flow::Settings>(std::move(settings));
}

Result<std::vector<net::TlsCertificate>> read_certificates(const flow::Settings& settings) {
    std::vector<net::TlsCertificate> out;
    for (const flow::CertificateSettings& row : settings.certificates) {
        out.push_back(TRY(net::read_tls_certificate(row.certificate_file, row.key_file)));
    }
    return out;
}

}  // namespace

// In the order of building; taken down in the opposite one.
struct House::Inner {
    HouseOptions options;
    FaultWatch watch;
    unsigned shards = 1;
    DescriptorPlan descriptors;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<net::ShardPool> pool;
    std::unique_ptr<net::AsioNetwork> network;
    std::unique_ptr<SurveyErrand> surveys;  // Outlives the threads that wait for it.
    std::unique_ptr<net::OffloadPool> offload;
    std::unique_ptr<net::OffloadPool> passwords;
    net::TlsCertificates certificates;
    std::unique_ptr<net::TlsClientContext> tls_client;
    MadeResolver resolver;
    std::unique_ptr<Household> household;
    serve::AdminHost admin;
    std::mutex reload_mutex;
    bool is_open = false;
    /// False: somebody is still served after `longest`, or hurry() said true.
    bool wait_until_empty(Duration longest, const std::function<bool()>& hurry);

    Result<> share_descriptors(const flow::Settings& now);
    Result<> build_street(const flow::Settings& now);
    Result<> furnish(const flow::SettingsPtr& now);
    void describe(JsonWriter& json);
};

Result<> House::Inner::share_descriptors(const flow::Settings& now) {
    shards = shard_count(now);
    const std::uint64_t limit = descriptor_limit();
    descriptors = TRY(plan_descriptors({.limit = limit,
                                        .listeners = now.listeners.size(),
                                        .shards = shards,
                                        .has_resolver = !now.resolver.is_off}));
    if (descriptors.connections < now.limits.connections) {
        log::warn("start.few_descriptors", {{"limit", limit},
                                            {"connections", descriptors.connections},
                                            {"wanted", now.limits.connections}});
    }
    return {};
}

Result<> House::Inner::build_street(const flow::Settings& now) {
    pool = std::make_unique<net::ShardPool>(shards);
    network = std::make_unique<net::AsioNetwork>(
        pool.get(), net::AsioNetwork::Options{.inherited = net::inherited_sockets(),
                                              .sockets_below = descriptors.sockets_below});
    offload = std::make_unique<net::OffloadThreads>(net::OffloadThreads::Options{
        .name = "work", .threads = std::max(4U, core_count()), .queue_max = 4096});
    passwords = std::make_unique<net::OffloadThreads>(net::OffloadThreads::Options{
        .name = "passwords", .threads = std::max(1U, core_count() / 2), .queue_max = 256});
    const auto all = TRY(read_certificates(now));
    if (!all.empty()) {
        TRY(certificates.replace(all));
    }
    tls_client = TRY(net::TlsClientContext::create({.ca_file = now.ca_file}));
    if (!now.resolver.is_off) {
        resolver = TRY(make_resolver(now, &pool->shard(0)));
    }
    return {};
}

Result<> House::Inner::furnish(const flow::SettingsPtr& now) {
    Ground ground;
    ground.store = store.get();
    ground.network = network.get();
    ground.resolver = resolver.resolver.get();
    ground.offload = offload.get();
    ground.passwords = passwords.get();
    ground.tls_client = tls_client.get();
    ground.certificates = &certificates;
    ground.clock = &system_clock();
    ground.random = &system_random();
    for (unsigned i = 0; i < shards; ++i) {
        ground.shards.push_back(&pool->shard(i));
    }
    ground.files = &store::system_files();
    ground.read_secret = [](const std::string& path) { return read_file(path, token_size_max); };
    ground.in_hand_file = in_hand_file(*now);
    // Linux, random(4): drawn anew at each start of the machine.
    ground.machine = read_file("/proc/sys/kernel/random/boot_id", 64).value_or("");
    household = TRY(Household::create(std::move(ground), now));
    household->connections().set_ceiling(descriptors.connections);
    admin = make_admin_host(store.get(), *now);
    admin.services = &household->services();
    admin.argon2 = [this] { return household->settings()->argon2; };
    surveys = std::make_unique<SurveyErrand>(&household->services());
    admin.survey = [this](flow::SurveyQuestion question) {
        return surveys->run(std::move(question));
    };
    admin.describe_server = [this](JsonWriter& json) { describe(json); };
    return {};
}

void House::Inner::describe(JsonWriter& json) {
    const auto now = household->settings();
    json.field("version", GODWIT_VERSION).field("hostname", now->hostname);
    json.field("data_folder", now->data_folder).field("threads", shards);
    json.field("dnssec", dnssec_status(*now, resolver));
    json.field("connections", household->connections().open()).key("listeners").begin_array();
    for (const std::string& name : household->doors().names()) {
        json.string(name);
    }
    json.end_array();
}

House::House(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

Result<std::unique_ptr<House>> House::build(HouseOptions options) {
    auto inner = std::make_unique<Inner>();
    flow::SettingsPtr settings = options.settings;
    log::set_level(level_of(settings->log_level));
    inner->options = std::move(options);
    if (inner->options.may_make) {
        TRY(make_folder(settings->data_folder, 0711));
    }
    TRY(inner->share_descriptors(*settings));
    inner->store = TRY(open_store(
        *settings,
        {.on_fatal = [watch = &inner->watch](const Error& error) { watch->report(error); },
         .descriptors = inner->descriptors,
         .may_make = inner->options.may_make}));
    crash_point<"start.store_open">();
    flow::Settings whole = *settings;
    TRY(read_token_keys(whole));
    settings = with_facts(std::move(whole), *inner->store);
    TRY(inner->build_street(*settings));
    TRY(inner->furnish(settings));
    std::unique_ptr<House> house(new House(std::move(inner)));
    house->inner_->admin.reload = [raw = house.get()] { return raw->reload(); };
    house->inner_->admin.wake_scrubber = [raw = house.get()] {
        raw->inner_->household->bell().ring_for_scrub();
    };
    return house;
}

House::~House() {
    if (inner_->is_open) {
        close([] { return true; });
    }
}

store::Store& House::store() {
    return *inner_->store;
}

std::vector<std::string> House::doors() {
    return inner_->household->doors().names();
}

Result<> House::open() {
    Inner* const inner = inner_.get();
    crash_point<"start.house_built">();
    TRY(inner->household->start());
    crash_point<"start.scheduler_started">();
    inner->pool->start();
    inner->is_open = true;
    const auto settings = inner->household->settings();
    Doors& doors = inner->household->doors();
    const auto named = write_file(mailname_file(*settings), settings->default_domain + "\n", 0644);
    if (!named) {
        log::warn("start.mailname_not_written", {{"error", named.error().text}});
    }
    TRY(doors.open_own("admin", admin_socket(*settings), 0660,
                       [inner](std::unique_ptr<net::Stream> stream) {
                           net::Shard& shard = stream->shard();
                           net::spawn(shard, "admin",
                                      serve::serve_admin(&inner->household->services(),
                                                         &inner->admin, std::move(stream)));
                       }));
    crash_point<"start.admin_open">();
    TRY(doors.open_submit(submit_socket(*settings)));
    TRY(doors.open(settings->listeners));
    crash_point<"start.doors_open">();
    return {};
}

Result<std::string> House::reload() {
    Inner& inner = *inner_;
    if (!inner.options.reread) {
        return peer_error(ErrorCode::Unsupported, "this server has no configuration file");
    }
    const std::lock_guard lock(inner.reload_mutex);
    flow::Settings fresh = TRY(inner.options.reread());
    const flow::SettingsPtr before = inner.household->settings();
    const std::vector<std::string> waiting = keys_needing_restart(*before, fresh);
    keep_restart_keys(*before, fresh);
    auto certificates = TRY(net::TlsCertificates::load(TRY(read_certificates(fresh))));
    TRY(read_token_keys(fresh));
    // What is refused changes nothing: the doors are the last that can fail, and fail whole.
    crash_point<"reload.checked">();
    const auto changed = TRY(inner.household->doors().open(fresh.listeners));
    crash_point<"reload.doors_changed">();
    // None (the check has seen to it that no listener needs one): STARTTLS is offered no more.
    inner.certificates.take(std::move(certificates));
    log::set_level(level_of(fresh.log_level));
    inner.household->change_settings(with_facts(std::move(fresh), *inner.store));
    crash_point<"reload.done">();
    JsonWriter json;
    json.begin_object().field("reloaded", true).key("listeners").begin_array();
    for (const std::string& what : changed) {
        json.string(what);
    }
    json.end_array().key("needs_restart").begin_array();
    for (const std::string& key : waiting) {
        json.string(key);
    }
    json.end_array().end_object();
    log::info("config.reloaded", {{"listeners", join(changed)}, {"needs_restart", join(waiting)}});
    return std::move(json).take();
}

bool House::Inner::wait_until_empty(Duration longest, const std::function<bool()>& hurry) {
    // One flag a shard: true when nobody is served there and no delivery is under way. Shared: what
    // was posted may run after this has given up waiting.
    const auto idle = std::make_shared<std::vector<std::atomic<bool>>>(shards);
    const MonoTime until = system_clock().mono() + longest;
    while (system_clock().mono() < until && !hurry()) {
        for (unsigned i = 0; i < shards; ++i) {
            pool->shard(i).post([this, idle, i] { (*idle)[i] = household->is_empty_here(); });
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        if (std::ranges::all_of(*idle, [](const std::atomic<bool>& flag) { return flag.load(); })) {
            return true;
        }
    }
    return false;
}

bool House::has_fault() const {
    return inner_->watch.has_fault();
}

void House::end_after_fault() {
    if (inner_->is_open) {
        inner_->household->begin_to_end();
        const bool is_all_told = inner_->wait_until_empty(kLastAnswers, [] { return false; });
        log::error("stop.after_fault", {{"all_told", is_all_told}});
    }
}

void House::close(const std::function<bool()>& hurry) {
    Inner* const inner = inner_.get();
    crash_point<"stop.begun">();
    inner->household->begin_to_close();
    crash_point<"stop.doors_closed">();
    inner->wait_until_empty(limits::shutdown_grace, hurry);
    crash_point<"stop.sessions_ended">();
    inner->pool->stop();
    inner->pool->join();
    crash_point<"stop.shards_joined">();
    inner->offload->stop();
    inner->passwords->stop();
    inner->household.reset();
    inner->store->stop();
    crash_point<"stop.store_closed">();
    inner->is_open = false;
}

}  // namespace godwit::app
