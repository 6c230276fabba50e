# Reference values for discrimination and proportions. Run in this folder: Rscript golden.R
# The scores are those of ../golden.R. pROC is called with direction "<", otherwise it turns curves around by itself.
suppressPackageStartupMessages({library(pROC); library(epiR)})
set.seed(20240502)
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)
quietly <- function(value) suppressMessages(suppressWarnings(value))
curve <- function(label, score) roc(label, score, levels = c(0, 1), direction = "<", quiet = TRUE)

# ---- scores -------------------------------------------------------------------------------------------------
cases <- read.csv("../cases.csv"); asah <- read.csv("../asah.csv")
for (pair in list(c("s100b", "wfns"), c("s100b", "ndka"), c("wfns", "ndka")))
  cases <- rbind(cases, data.frame(set = paste0("asah_", pair[1], "_", pair[2]), label = asah$label,
    first = asah[[pair[1]]], second = asah[[pair[2]]]))
curve_of <- function(set, score) { one <- cases[cases$set == set, ]; curve(one$label, one[[score]]) }

# ---- unpaired DeLong test -----------------------------------------------------------------------------------
welch <- function(first, second) {
  test <- quietly(roc.test(first, second, paired = FALSE, method = "delong"))
  data.frame(statistic = as.numeric(test$statistic), df = as.numeric(test$parameter), p = test$p.value,
    se = sqrt(quietly(var(first, method = "delong")) + quietly(var(second, method = "delong"))))
}
two_sets <- data.frame(
  set_first = c("continuous", "tied", "imbalanced", "tiny", "constant", "tied", "asah_s100b_wfns"),
  score_first = c("first", "first", "second", "second", "first", "second", "first"),
  set_second = c("tied", "continuous", "continuous", "tied", "tied", "perfect", "imbalanced"),
  score_second = c("first", "second", "first", "first", "second", "second", "first"))
save_csv(cbind(two_sets, do.call(rbind, lapply(seq_len(nrow(two_sets)), function(i)
  welch(curve_of(two_sets$set_first[i], two_sets$score_first[i]), curve_of(two_sets$set_second[i], two_sets$score_second[i]))))),
  "unpaired.csv")
data(aSAH)
male <- as.integer(aSAH$gender == "Male")
save_csv(data.frame(male = male), "asah_gender.csv")
save_csv(do.call(rbind, lapply(c("s100b", "ndka", "wfns"), function(score) cbind(score = score,
  welch(curve(asah$label[male == 1], asah[[score]][male == 1]), curve(asah$label[male == 0], asah[[score]][male == 0]))))),
  "unpaired_asah.csv")

# ---- non-inferiority from pROC's paired interval -------------------------------------------------------------
paired_sets <- c("continuous", "tied", "imbalanced", "tiny", "asah_s100b_wfns", "asah_s100b_ndka", "asah_wfns_ndka")
save_csv(do.call(rbind, lapply(paired_sets, function(set) do.call(rbind, lapply(c(.02, .05, .2), function(margin) {
  interval <- quietly(roc.test(curve_of(set, "first"), curve_of(set, "second"), method = "delong", paired = TRUE))$conf.int
  difference <- mean(interval); se <- (interval[2] - interval[1]) / (2 * qnorm(.975)); z <- (difference + margin) / se
  data.frame(set = set, margin = margin, z = z, p = pnorm(z, lower.tail = FALSE), low = difference - qnorm(.975) * se)
})))), "non_inferiority.csv")

# ---- power --------------------------------------------------------------------------------------------------
one <- expand.grid(auc = c(.55, .7, .8, .95), n_positive = c(10, 41, 100), n_negative = c(20, 72), alpha = c(.05, .01))
one$power <- mapply(function(a, p, n, s) power.roc.test(auc = a, ncases = p, ncontrols = n, sig.level = s)$power,
  one$auc, one$n_positive, one$n_negative, one$alpha)
save_csv(one, "power_one.csv")
sizes <- expand.grid(auc = c(.4, .55, .7, .8, .95), power = c(.8, .9), kappa = c(.5, 1, 1.7), alpha = c(.05, .01))
sizes <- cbind(sizes, do.call(rbind, mapply(function(a, w, k, s) {
  found <- power.roc.test(auc = a, power = w, kappa = k, sig.level = s)
  data.frame(n_positive = found$ncases, n_negative = found$ncontrols)
}, sizes$auc, sizes$power, sizes$kappa, sizes$alpha, SIMPLIFY = FALSE)))
save_csv(sizes, "size_one.csv")
# pROC stops uniroot at 1e-4; its own function is solved to the last digit here.
least <- expand.grid(n_positive = c(20, 41, 200), n_negative = c(30, 72), power = c(.8, .9))
least$proc <- mapply(function(p, n, w) power.roc.test(ncases = p, ncontrols = n, power = w)$auc, least$n_positive, least$n_negative, least$power)
least$auc <- mapply(function(p, n, w) uniroot(pROC:::power.roc.test.optimize.auc.function, c(.5 + 1e-6, 1 - 1e-16),
  ncontrols = n, ncases = p, zalpha = qnorm(.975), zbeta = qnorm(w), tol = 1e-15)$root, least$n_positive, least$n_negative, least$power)
save_csv(least, "least_auc.csv")
save_csv(do.call(rbind, lapply(paired_sets, function(set) {
  first <- curve_of(set, "first"); second <- curve_of(set, "second")
  size <- function(power, alpha) quietly(power.roc.test(first, second, power = power, sig.level = alpha))
  data.frame(set = set, power = quietly(power.roc.test(first, second))$power, power_01 = quietly(power.roc.test(first, second, sig.level = .01))$power,
    n_80 = size(.8, .05)$ncases, negatives_80 = size(.8, .05)$ncontrols, n_90 = size(.9, .05)$ncases, n_90_01 = size(.9, .01)$ncases)
})), "power_pair.csv")
binormal <- expand.grid(a1 = c(2.6, 1.2), b1 = c(1, .7), a2 = 1.9, b2 = c(1, 1.4), rn = c(0, .6), ra = c(.3, .6), delta = .037, kappa = c(1, 2.5))
binormal <- cbind(binormal, do.call(rbind, lapply(seq_len(nrow(binormal)), function(i) with(binormal[i, ], {
  parameters <- list(A1 = a1, B1 = b1, A2 = a2, B2 = b2, rn = rn, ra = ra, delta = delta)
  data.frame(n_positive = power.roc.test(parameters, power = .8, sig.level = .05, kappa = kappa)$ncases,
    power = power.roc.test(parameters, ncases = 50, sig.level = .05, kappa = kappa)$power)
}))))
save_csv(binormal, "power_binormal.csv")

# ---- average precision, F1: from the definitions, with loops -------------------------------------------------
precision_recall <- function(label, score) {
  total <- 0; before <- 0; best <- -1; best_threshold <- NA
  for (threshold in sort(unique(score), decreasing = TRUE)) {
    hits <- sum(label == 1 & score >= threshold); called <- sum(score >= threshold)
    recall <- hits / sum(label == 1); total <- total + (recall - before) * hits / called; before <- recall
    harmonic <- 2 / (called / hits + sum(label == 1) / hits)
    if (harmonic >= best - 1e-12) { best <- harmonic; best_threshold <- threshold }
  }
  n <- sum(label == 1); eta <- log(total / (1 - total)); tau <- (n * total * (1 - total))^-.5
  data.frame(value = total, low = plogis(eta - qnorm(.975) * tau), high = plogis(eta + qnorm(.975) * tau),
    best_f1 = best, best_threshold = best_threshold)
}
save_csv(do.call(rbind, lapply(unique(cases$set), function(set) do.call(rbind, lapply(c("first", "second"), function(score) {
  chosen <- cases[cases$set == set, ]
  cbind(set = set, score = score, precision_recall(chosen$label, chosen[[score]]))
})))), "precision_recall.csv")

# ---- intervals of proportions --------------------------------------------------------------------------------
counts <- data.frame(successes = c(0, 5, 1, 242, 429, 214, 3, 0, 1, 17), total = c(5, 5, 1, 268, 475, 268, 1000, 1, 2, 34))
score <- t(mapply(function(k, n) quietly(prop.test(k, n, correct = FALSE))$conf.int, counts$successes, counts$total))
exact <- t(mapply(function(k, n) binom.test(k, n)$conf.int, counts$successes, counts$total))
save_csv(cbind(counts, wilson_low = score[, 1], wilson_high = score[, 2], exact_low = exact[, 1], exact_high = exact[, 2]), "proportions.csv")

# ---- likelihood ratios ----------------------------------------------------------------------------------------
tables <- data.frame(tp = c(242, 242, 9, 1, 30, 5, 670), fp = c(46, 63, 3, 1, 30, 40, 202), fn = c(26, 26, 2, 1, 10, 20, 74), tn = c(429, 412, 17, 1, 10, 2, 640))
save_csv(cbind(tables, do.call(rbind, lapply(seq_len(nrow(tables)), function(i) {
  found <- with(tables[i, ], epi.tests(as.table(matrix(c(tp, fp, fn, tn), nrow = 2, byrow = TRUE))))$detail
  value <- function(statistic, name) { row <- found[found$statistic == statistic, 2:4]; names(row) <- paste0(name, c("", "_low", "_high")); row }
  cbind(value("lr.pos", "positive"), value("lr.neg", "negative"), value("diag.or", "odds"))
}))), "likelihood_ratios.csv")

# ---- adjusted p-values ----------------------------------------------------------------------------------------
families <- list(mixed = c(.01, .04, .03, .005, .5), ties = c(.02, .02, .02), capped = c(.6, .9, .4), one = .03, zero = c(0, 0, .2, 1, 1),
  hundred = round(c(rbeta(40, .3, 5), runif(60)), 4))
save_csv(do.call(rbind, lapply(names(families), function(f) data.frame(family = f, p = families[[f]],
  holm = p.adjust(families[[f]], "holm"), hommel = p.adjust(families[[f]], "hommel"), bh = p.adjust(families[[f]], "BH")))), "multiplicity.csv")

writeLines(c(R.version.string, paste("pROC", packageVersion("pROC")), paste("epiR", packageVersion("epiR"))), "versions.txt")
