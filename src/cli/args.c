#include "cli/args.h"

#include <string.h>

#include "base/nearest.h"

const char *arka_args_nearest(const char *word, const char *const *words, int n)
{
    enum { SLIPS = 2 };
    return arka_nearest(word, words, n, SLIPS);
}

static arka_status unknown(const char *name, const arka_option *options, int n, arka_error *err)
{
    const char *names[64];
    int n_names = n < 64 ? n : 64;
    for (int i = 0; i < n_names; i++)
        names[i] = options[i].name;
    const char *near = arka_args_nearest(name, names, n_names);
    return arka_fail(err, ARKA_INPUT, "unknown option '%s'%s%s%s", name,
                     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "");
}

/* One option at argv[*at]; *at moves past it. */
static arka_status take_option(const arka_option *options, int n, int argc, char **argv, int *at,
                               arka_error *err)
{
    const char *arg = argv[(*at)++];
    const char *equals = strchr(arg, '=');
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);
    for (int i = 0; i < n; i++) {
        const arka_option *o = &options[i];
        if (strlen(o->name) != len || strncmp(o->name, arg, len) != 0)
            continue;
        if (o->value == NULL) {
            if (equals != NULL)
                return arka_fail(err, ARKA_INPUT, "option %s takes no value", o->name);
            *o->flag = true;
            return ARKA_OK;
        }
        if (equals == NULL && *at == argc)
            return arka_fail(err, ARKA_INPUT, "option %s needs a value: %s", o->name, o->value);
        *o->text = equals ? equals + 1 : argv[(*at)++];
        return ARKA_OK;
    }
    return unknown(arg, options, n, err);
}

arka_status arka_args_parse(const arka_option *options, int n_options, int argc, char **argv,
                            const char **positional, int max_positional, int *n_positional,
                            arka_error *err)
{
    bool only_positional = false;
    int at = 0;
    *n_positional = 0;
    while (at < argc) {
        const char *arg = argv[at];
        if (!only_positional && strcmp(arg, "--") == 0) {
            only_positional = true;
            at++;
        } else if (!only_positional && arg[0] == '-' && arg[1] != 0) {
            ARKA_TRY(take_option(options, n_options, argc, argv, &at, err));
        } else if (*n_positional == max_positional) {
            return arka_fail(err, ARKA_INPUT, "one argument too many: '%s'", arg);
        } else {
            positional[(*n_positional)++] = argv[at++];
        }
    }
    return ARKA_OK;
}

void arka_args_help(const arka_option *options, int n_options, FILE *out)
{
    for (int i = 0; i < n_options; i++) {
        char head[64];
        snprintf(head, sizeof head, "%s%s%s", options[i].name, options[i].value ? " " : "",
                 options[i].value ? options[i].value : "");
        if (strlen(head) > 22)
            fprintf(out, "  %s\n  %-22s %s\n", head, "", options[i].help);
        else
            fprintf(out, "  %-22s %s\n", head, options[i].help);
    }
}
