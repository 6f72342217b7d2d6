/* arc config: what a server would be told, whether it would take it, and what there is to tell. */
#include "cli/config.h"

#include <assert.h>
#include <string.h>

#include "cli/settings_options.h"
#include "config/reference.h"

/* The options: those that are settings, and --json and --file behind them. */
typedef struct config_options {
    arka_settings_options settings;
    bool json;
} config_options;

static void list_options(config_options *o)
{
    o->json = false;
    arka_settings_options_init(&o->settings);
    o->settings.options[o->settings.n++] = (arka_option){
        .name = "--file",
        .value = "FILE",
        .help = "the same as --config",
        .text = &o->settings.texts[0],
    };
    o->settings.options[o->settings.n++] =
        (arka_option){.name = "--json", .help = "as JSON", .flag = &o->json};
}

int arka_config_options(int sub, arka_option out[ARKA_VERB_OPTIONS])
{
    static_assert(ARKA_MAX_SETTINGS_OPTIONS <= (int)ARKA_VERB_OPTIONS, "they have to fit");
    config_options o;
    list_options(&o);
    memcpy(out, o.settings.options, (size_t)o.settings.n * sizeof *out);
    return o.settings.n;
}

const arka_subverb arka_config_subverbs[] = {
    {"show", "the values in force, and where each comes from"},
    {"check", "would a server take them? all faults at once"},
    {"reference", "every setting there is, as Markdown or JSON"},
    {NULL, NULL},
};

void arka_config_help(FILE *out)
{
    config_options o;
    list_options(&o);
    fputs("arc config: look at the settings of a server.\n\n"
          "Usage: arc config show [options]       the values in force, and where each comes from\n"
          "       arc config check [FILE]         would a server take them? all faults at once\n"
          "       arc config reference [--json]   every setting there is\n\n",
          out);
    arka_args_help(o.settings.options, o.settings.n, out);
    fputs(
        "\n"
        "They find their file as 'arc serve' does: --config, else ARC_CONFIG_FILE, else arc.conf\n"
        "in the working directory; the environment and options come over it. Secrets are not\n"
        "shown. Exit codes: 0, or 78 when a server would not start with these settings.\n",
        out);
}

static int print(arka_buf *out)
{
    bool good =
        !out->failed && fwrite(out->data, 1, out->len, stdout) == out->len && fflush(stdout) == 0;
    if (!good)
        fputs("arc config: the output could not be written\n", stderr);
    arka_buf_fini(out);
    return good ? ARKA_EXIT_OK : ARKA_EXIT_FAILED;
}

static void print_notes(const arka_settings *s, bool faults, bool warnings)
{
    for (size_t i = 0; i < s->notes.n; i++) {
        const arka_setting_note *note = &s->notes.items[i];
        if (note->fault ? faults : warnings)
            fprintf(stderr, "%s: %s\n", note->fault ? "error" : "warning", note->text);
    }
}

/* All layers into *s, the faults and warnings to stderr; the exit code. */
static int load(config_options *o, arka_settings *s, bool warnings)
{
    arka_error err = {0};
    arka_setting_layers layers = arka_settings_options_layers(&o->settings);
    arka_status status = arka_settings_load(&layers, s, NULL, &err);
    print_notes(s, true, warnings);
    if (status != ARKA_OK && s->notes.n == 0)
        fprintf(stderr, "error: %s\n", err.msg);
    return status == ARKA_OK ? ARKA_EXIT_OK : ARKA_EXIT_CONFIG;
}

static int show(config_options *o, const char *file)
{
    arka_settings s;
    arka_buf out = ARKA_BUF_INIT;
    int code = load(o, &s, !o->json);
    if (code == ARKA_EXIT_OK) {
        if (o->json)
            arka_settings_put_values_json(&s, &out);
        else
            arka_settings_put_values(&s, &out);
        code = print(&out);
    }
    arka_settings_fini(&s);
    return code;
}

static int count_faults(const arka_settings *s)
{
    int n = 0;
    for (size_t i = 0; i < s->notes.n; i++)
        n += s->notes.items[i].fault;
    return n;
}

static int check(config_options *o, const char *file)
{
    arka_settings s;
    if (file != NULL)
        o->settings.texts[0] = file;
    int code = load(o, &s, true);
    const char *name = s.file ? s.file : "no file";
    size_t n = code == ARKA_EXIT_OK ? s.notes.n : (size_t)count_faults(&s);
    const char *s_or_not = n == 1 ? "" : "s";
    if (code != ARKA_EXIT_OK)
        fprintf(stderr, "%s: %zu fault%s, a server would not start\n", name, n, s_or_not);
    else if (n > 0)
        printf("%s: a server takes it, with %zu warning%s\n", name, n, s_or_not);
    else
        printf("%s: a server takes it\n", name);
    arka_settings_fini(&s);
    return code;
}

static int reference(config_options *o, const char *file)
{
    arka_buf out = ARKA_BUF_INIT;
    if (o->json)
        arka_settings_put_reference_json(&out);
    else
        arka_settings_put_reference(&out);
    return print(&out);
}

static const struct {
    const char *name;
    int (*run)(config_options *o, const char *file);
    int max_arguments;
} SUBVERBS[] = {{"show", show, 0}, {"check", check, 1}, {"reference", reference, 0}};

static int fail(const char *text)
{
    fprintf(stderr, "arc config: %s; 'arc help config' explains it\n", text);
    return ARKA_EXIT_USAGE;
}

int arka_config_main(int argc, char **argv)
{
    config_options o;
    arka_error err = {0};
    const char *file = NULL;
    int n = 0;
    size_t sub = 0, n_subs = sizeof SUBVERBS / sizeof *SUBVERBS;
    while (argc > 0 && sub < n_subs && strcmp(SUBVERBS[sub].name, argv[0]) != 0)
        sub++;
    if (argc == 0 || sub == n_subs)
        return fail("expected show, check or reference");
    list_options(&o);
    if (arka_args_parse(o.settings.options, o.settings.n, argc - 1, argv + 1, &file,
                        SUBVERBS[sub].max_arguments, &n, &err) != ARKA_OK)
        return fail(err.msg);
    return SUBVERBS[sub].run(&o, n > 0 ? file : NULL);
}
