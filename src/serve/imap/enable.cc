// Serves ENABLE. RFC 5161 3; RFC 7162 3.1, 3.2.3; RFC 9051 6.3.1; RFC 9586 3; RFC 6855 3; Q41.
#include <array>

#include "base/ascii.h"
#include "serve/imap/conversation.h"
#include "wire/imap/arguments.h"

namespace godwit::serve::imap_desk {

namespace {

struct FeatureRow {
    std::string_view name;
    Feature feature{};
};

// What CAPABILITY announces and ENABLE turns on.
constexpr std::array kFeatures = {
    FeatureRow{"CONDSTORE", Feature::Condstore}, FeatureRow{"QRESYNC", Feature::Qresync},
    FeatureRow{"IMAP4rev2", Feature::Rev2},      FeatureRow{"UIDONLY", Feature::UidOnly},
    FeatureRow{"UTF8=ACCEPT", Feature::Utf8},
};

void turn_on(Conversation* c, Feature feature) {
    // RFC 7162 3.2.3: QRESYNC brings CONDSTORE.
    if (feature == Feature::Condstore || feature == Feature::Qresync) {
        c->follow_mod_seqs();
    }
    c->enable(feature);
}

}  // namespace

AnswerTask run_enable(Conversation* c, imap::Command command) {
    imap::Lexer lexer(command);
    const Result<std::vector<std::string>> names = imap::parse_enable(lexer);
    if (!names) {
        co_return bad(names.error().text);
    }
    // RFC 5161 3.1: what is not known is passed over, what was enabled before is not said again.
    std::string enabled = "ENABLED";
    Features fresh;
    for (const std::string& name : *names) {
        for (const FeatureRow& row : kFeatures) {
            if (equals_ignore_case(name, row.name) && !c->has_enabled(row.feature) &&
                !fresh.has(row.feature)) {
                fresh.add(row.feature);
                enabled.append(" ").append(row.name);
            }
        }
    }
    c->out().line(enabled);
    for (const FeatureRow& row : kFeatures) {
        if (fresh.has(row.feature)) {
            turn_on(c, row.feature);
        }
    }
    co_return ok("ENABLE completed");
}

}  // namespace godwit::serve::imap_desk
